import { join } from "node:path";
import { eventually } from "@hawser/base/testing";
import { mainOf } from "./kit-cli.ts";
import { type RunningProgram, startProgram } from "./kit-process.ts";

/** `hawser-registry` as a program. */
export interface RegistryProgram extends AsyncDisposable {
  readonly host: string;
  readonly url: string;
  readonly program: RunningProgram;
}

/**
 * Start `hawser-registry` on a free port of loopback.
 *
 * @param folder an existing folder, for its data and its log
 * @param command the program; default: `mainOf`
 */
export async function startRegistry(
  folder: string,
  flags: readonly string[] = [],
  command: readonly string[] = [process.execPath, mainOf("registry")],
): Promise<RegistryProgram> {
  const log = join(folder, `registry-${Math.random().toString(36).slice(2)}.log`);
  const data = join(folder, "registry");
  const program = await startProgram(
    [...command, "serve", "--address", "127.0.0.1:0", "--data", data, ...flags],
    { log },
  );
  const urlOf = () => /registry listens.*?(https?:\/\/[\d.:]+)/.exec(program.output())?.[1];
  await using failed = new AsyncDisposableStack();
  failed.defer(() => program.kill("SIGKILL"));
  await eventually(() => urlOf() !== undefined || program.hasEnded(), {
    deadlineMs: 60_000,
    what: "the registry listens",
  });
  const url = urlOf();
  if (url === undefined) throw new Error(`the registry ended: ${program.output()}`);
  failed.move();
  return {
    url,
    host: new URL(url).host,
    program,
    [Symbol.asyncDispose]: () => program.kill("SIGTERM"),
  };
}
