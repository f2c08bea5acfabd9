import { readFile } from "node:fs/promises";
import { errnoOf } from "@hawser/base";
import { nsToMs } from "./frame.ts";

/** How a container's first process ended. */
export interface Exit {
  /** 0-255; 128 + the signal when one ended it. */
  readonly code: number;
  /** 0: none. */
  readonly signal: number;
  /** The kernel had killed a process of the container for memory. */
  readonly oom: boolean;
  /** Milliseconds since 1970, with a fraction. */
  readonly exitedAtMs: number;
}

/** The exit record that a monitor left at `path`; `undefined` when there is none, or none that can be read. */
export async function readExitRecord(path: string): Promise<Exit | undefined> {
  try {
    return parseExitRecord(await readFile(path, "latin1"));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** `code=<n> signal=<n> oom=<0|1> exited-at=<ns>`, `docs/contracts/monitor-protocol.md`. */
export function parseExitRecord(text: string): Exit | undefined {
  const [, code, signal, oom, exitedAt] =
    /^code=(\d{1,3}) signal=(\d{1,3}) oom=([01]) exited-at=(\d{1,19})\s*$/.exec(text) ?? [];
  if (exitedAt === undefined) return undefined;
  return { code: Number(code), signal: Number(signal), oom: oom === "1", exitedAtMs: nsToMs(exitedAt) };
}
