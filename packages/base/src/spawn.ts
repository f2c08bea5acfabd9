import { spawn } from "node:child_process";
import type { Socket } from "node:net";
import { defineFaults } from "./fault.ts";

const spawnFaults = defineFaults({
  PROGRAM_MISSING: ["unavailable", (program: string) => `Cannot run "${program}": it is not installed`],
  PROGRAM_FAILED: [
    "internal",
    (program: string, status: string, output: string) => `Cannot run "${program}": ${status}: ${output}`,
  ],
});

export interface ProgramResult {
  /** Exit code; 128 + signal number is not used: a signal is a failure with `signal` set. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Output beyond this many bytes per stream is dropped. Default 1 MiB. */
  readonly maxOutputBytes?: number;
}

/**
 * Run a program to its end and keep its output. Never through a shell. Not for hot paths: forking from Node blocks its
 * event loop for milliseconds; a container's processes are started by the launcher.
 *
 * @throws {Fault} `unavailable` when the program is not installed.
 */
export async function runProgram(
  argv: readonly [string, ...string[]],
  options: RunOptions = {},
): Promise<ProgramResult> {
  const [program, ...args] = argv;
  const limit = options.maxOutputBytes ?? 1 << 20;
  return await new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["pipe", "pipe", "pipe"],
      ...(options.signal && { signal: options.signal }),
      ...(options.env && { env: { ...options.env } }),
      ...(options.cwd !== undefined && { cwd: options.cwd }),
    });
    const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    for (const name of ["stdout", "stderr"] as const) {
      let size = 0;
      child[name].on("data", (chunk: Buffer) => {
        if (size < limit) output[name].push(chunk.subarray(0, limit - size));
        size += chunk.length;
      });
    }
    let aborted: unknown;
    child.on("error", (error) => {
      if (error.name === "AbortError" && child.pid !== undefined) {
        aborted = error; // it has been told to end, and may still write
        return;
      }
      const missing = "code" in error && error.code === "ENOENT";
      reject(missing ? spawnFaults.PROGRAM_MISSING(program).because(error) : error);
    });
    child.on("close", (exitCode, signal) => {
      if (aborted !== undefined) reject(aborted);
      const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString();
      resolve({ exitCode, signal, stdout: text(output.stdout), stderr: text(output.stderr) });
    });
    child.stdin.on("error", () => {}); // EPIPE: the program did not want its input; its exit code tells the rest
    child.stdin.end(options.input);
  });
}

/**
 * As `runProgram`, but anything other than exit code 0 is a fault that carries the program's own words.
 *
 * @throws {Fault} `unavailable` when it is not installed, `internal` when it fails.
 */
export async function runProgramOk(
  argv: readonly [string, ...string[]],
  options: RunOptions = {},
): Promise<ProgramResult> {
  const result = await runProgram(argv, options);
  if (result.exitCode === 0) return result;
  const status = result.signal === null ? `exit code ${result.exitCode}` : `ended by ${result.signal}`;
  throw spawnFaults.PROGRAM_FAILED(argv.join(" "), status, (result.stderr || result.stdout).trim());
}

/** A program that outlives this process. */
export interface DetachedProgram {
  readonly pid: number | undefined;
  /** How it ended, or why it could not be started, if that was seen: this process does not wait for it. Never rejects. */
  readonly ended: Promise<string>;
}

/**
 * Start a program that outlives this process: its own session, no inherited standard streams but `stderrFd`. Its descriptors
 * from 3 on are `descriptors`.
 * Returns at once; whether it works is seen by talking to it.
 */
export function startDetached(
  argv: readonly [string, ...string[]],
  options: {
    readonly stderrFd?: number;
    readonly descriptors?: readonly number[];
    readonly env?: Readonly<Record<string, string | undefined>>;
  } = {},
): DetachedProgram {
  const [program, ...args] = argv;
  const out = options.stderrFd ?? "ignore";
  const child = spawn(program, args, {
    detached: true,
    stdio: ["ignore", out, out, ...(options.descriptors ?? [])],
    ...(options.env && { env: { ...options.env } }),
  });
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  child.on("error", (error) => resolve(error.message));
  child.on("exit", (code, signal) => resolve(signal ?? `exit status ${code}`));
  child.unref();
  return { pid: child.pid, ended };
}

/** A program that one speaks with. */
export interface ProgramStream {
  /** Its standard input and output; half-closing it ends the input. */
  readonly socket: Socket;
  /** Wait until it has ended, or could not be started: how, and what it said. Never rejects. */
  readonly waitForEnd: () => Promise<{ readonly status: string; readonly stderr: string }>;
}

/**
 * Start a program whose standard input and output are one connection. It ends with that: a program whose streams are closed
 * and that does not care is not waited for.
 */
export function openProgramStream(
  argv: readonly [string, ...string[]],
  options: { readonly env: Readonly<Record<string, string | undefined>> },
): ProgramStream {
  // The one pipe of node's that goes both ways is one beyond the standard ones. The words of argv are never the shell's.
  const child = spawn("/bin/sh", ["-c", 'exec "$@" <&3 >&3 3>&-', "sh", ...argv], {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    env: { ...options.env },
  });
  const { promise: ended, resolve } = Promise.withResolvers<{ status: string; stderr: string }>();
  const chunks: Buffer[] = [];
  child.stderr?.on("data", (chunk: Buffer) => {
    if (chunks.length < 64) chunks.push(chunk);
  });
  const settle = (status: string) => resolve({ status, stderr: Buffer.concat(chunks).toString() });
  child.on("error", (error) => settle(error.message));
  child.on("close", (code, signal) => settle(signal ?? `exit status ${code}`));
  const socket = child.stdio[3] as Socket;
  // Who holds the connection or waits keeps the process alive, nothing else.
  const stderr = child.stderr as Socket | null;
  child.unref();
  stderr?.unref();
  return {
    socket,
    waitForEnd: () => {
      child.ref();
      stderr?.ref();
      return ended;
    },
  };
}
