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

/** Hawser's own client, from source. */
export function hawserCli(): readonly string[] {
  return [process.execPath, join(root, "packages/cli/src/main.ts")];
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
