import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { root } from "../../tools/tree.ts";

/** Absolute path of a program on PATH or in the folders that only root's PATH has; `undefined` when it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin", "/usr/bin"];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** The docker CLI: the one on PATH, else the one that the tests' set-up took out of Debian's package. */
export function dockerCli(): string {
  const found = findProgram("docker") ?? [join(root, "build/docker-cli/docker")].find(isExecutable);
  if (found === undefined) throw new Error("Cannot find a docker CLI: run tools/setup.sh --tests");
  return found;
}

const sources = {
  cli: "packages/cli/src/main.ts",
  engine: "packages/engine/src/main.ts",
  registry: "packages/registry/src/server/main.ts",
} as const;

/**
 * The file that Node runs: of the bundle, which starts in a fifth of the time, where whoever runs the tests has just built it and
 * says so with HAWSER_TEST_BUNDLES; else the source, which is never stale.
 */
export function mainOf(program: keyof typeof sources): string {
  const bundled = process.env["HAWSER_TEST_BUNDLES"] === "1";
  return join(root, bundled ? `dist/${program}/main.js` : sources[program]);
}

/** Hawser's own client. */
export function hawserCli(): readonly string[] {
  return [process.execPath, mainOf("cli")];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** `{ "data-root": "/x" }` → `--data-root /x`, in order. */
export function formatFlags(flags: Readonly<Record<string, string>>): string[] {
  return Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
}
