import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { runProgramOk } from "@hawser/base";
import { eventually } from "@hawser/base/testing";
import { connectUnix } from "../sockets.ts";

const source = join(import.meta.dirname, "../../../../native/addon/tests/descriptor-echo.c");

/**
 * Another process that is sent a descriptor: it writes to it the message that the descriptor came with, then echoes what
 * it reads from it.
 */
export interface DescriptorEcho extends Disposable {
  /** A connection to the process, to send on; ends the message when closed. */
  readonly connectionFd: number;
  /** Resolves to its exit code. */
  readonly exited: Promise<number | null>;
}

/** Compiles it (0.1 s) in `folder` and starts it. */
export async function startDescriptorEcho(folder: string): Promise<DescriptorEcho> {
  const program = join(folder, "descriptor-echo");
  await runProgramOk([
    "cc",
    "-std=c11",
    "-D_GNU_SOURCE",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-o",
    program,
    source,
  ]);
  const socketPath = join(folder, "descriptor-echo.sock");
  const child = spawn(program, [socketPath], { stdio: ["ignore", "inherit", "inherit"] });
  const exited = exitOf(child);
  const connectionFd = await eventually(() => connectUnix(socketPath));
  return {
    connectionFd,
    exited,
    [Symbol.dispose]() {
      child.kill("SIGKILL");
    },
  };
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}
