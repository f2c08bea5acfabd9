import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Logger, version } from "@hawser/base";
import { Launcher } from "@hawser/runtime";
import type { EngineConfig } from "./config/engine-config.ts";

/** The launcher of this build, the one that runs already if there is one. It has the default OCI runtime in memory. */
export async function openLauncher(config: EngineConfig, log: Logger): Promise<Launcher> {
  const program = join(config.nativeDir, "hawser-launcher");
  return await Launcher.open({
    execRoot: config.execRoot,
    program,
    version: await readProgramVersion(program),
    preload: [config.runtimes[config.defaultRuntime]?.path ?? ""].filter(startsItselfAgain),
    log,
  });
}

/** Whether an OCI runtime starts itself a second time, from memory, unless that is where it came from. */
function startsItselfAgain(path: string): boolean {
  return /\/(crun|runc)$/.test(path);
}

/** What tells one build of the launcher from another: an engine of a new build does not work with an old launcher. */
async function readProgramVersion(path: string): Promise<string> {
  const digest = createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
  return `${version}+${digest.slice(0, 12)}`;
}
