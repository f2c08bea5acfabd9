import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { openTempDir } from "@hawser/base/testing";
import { root } from "../../tools/tree.ts";
import { dockerCli } from "./kit-cli.ts";
import { type CommandOptions, type CommandResult, runCommand } from "./kit-process.ts";
import type { Target } from "./kit-target.ts";

/** Releases of buildx and Compose that are tested: what the tests' set-up took out of Debian's packages. */
export const pluginSuites = ["trixie", "sid"] as const;

/**
 * The docker CLI with buildx and Compose, against a target. What begins with `buildx` is given to that program itself: the CLI
 * would start it twice, once to ask what it is.
 */
export interface BuildkitClient extends AsyncDisposable {
  run(
    args: readonly string[],
    options?: Pick<CommandOptions, "input" | "cwd" | "env">,
  ): Promise<CommandResult>;
  /** Anything but exit code 0 is an error. @returns all that it wrote, progress included */
  ok(...args: string[]): Promise<string>;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export async function openBuildkitClient(
  target: Pick<Target, "environment">,
  suite: (typeof pluginSuites)[number],
): Promise<BuildkitClient> {
  const dir = await openTempDir();
  const plugins = join(root, "build/docker-plugins", suite);
  await symlink(plugins, join(dir.path, "cli-plugins"));
  const environment = {
    ...target.environment(),
    DOCKER_CONFIG: dir.path,
    DOCKER_BUILDKIT: "1",
    BUILDKIT_PROGRESS: "plain",
    COMPOSE_ANSI: "never",
  };
  const run: BuildkitClient["run"] = ([verb = "", ...args], options = {}) => {
    const program = verb === "buildx" ? [join(plugins, "docker-buildx")] : [dockerCli(), verb];
    return runCommand([...program, ...args], { env: environment, timeoutMs: 120_000, ...options });
  };
  return {
    run,
    environment,
    async ok(...args) {
      const { exitCode, stdout, stderr } = await run(args);
      if (exitCode !== 0)
        throw new Error(`exit code ${exitCode}: docker ${args.join(" ")}\n${stderr}${stdout}`);
      return `${stdout}${stderr}`;
    },
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

/** A folder with files in it. */
export async function openFiles(files: Readonly<Record<string, string>>) {
  const dir = await openTempDir();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir.path, name)), { recursive: true });
    await writeFile(join(dir.path, name), text);
  }
  return dir;
}
