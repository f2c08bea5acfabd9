import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";

export interface CommandResult {
  /** Exit code; `null` when a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Killed after this. Default 60 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Run a program to its end. Its exit code is a result, not a failure. */
export async function runCommand(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const [program = "", ...args] = argv;
  const deadline = AbortSignal.timeout(options.timeoutMs ?? 60_000);
  const child = spawn(program, args, {
    stdio: ["pipe", "pipe", "pipe"],
    signal: options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]),
    killSignal: "SIGKILL",
    ...(options.env && { env: { ...options.env } }),
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on("error", () => {}); // the program did not want its input; its exit code tells the rest
  child.stdin.end(options.input);
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on("error", (error) => reject(new Error(`Cannot run ${argv.join(" ")}`, { cause: error })));
  child.on("close", resolve);
  const exitCode = await promise;
  return { exitCode, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
}

/** As `runCommand`; anything but exit code 0 is an error with the program's own words. Returns its standard output. */
export async function runCommandOk(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await runCommand(argv, options);
  if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${argv.join(" ")}\n${stderr}${stdout}`);
  return stdout;
}

/** A program that runs beside the test. */
export interface RunningProgram {
  readonly pid: number;
  /** Settles with exit code or signal name when it has ended. */
  readonly ended: Promise<number | string>;
  hasEnded(): boolean;
  /** Send a signal and wait for the end. Does nothing when it has ended. */
  kill(signal: "SIGTERM" | "SIGKILL" | "SIGINT"): Promise<void>;
  /** All that it has written so far to both its streams. */
  output(): string;
}

/** Start a program in a session of its own, its output in the file `log` (appended). */
export async function startProgram(
  argv: readonly string[],
  options: { readonly log: string; readonly env?: Readonly<Record<string, string | undefined>> },
): Promise<RunningProgram> {
  const [program = "", ...args] = argv;
  const log = openSync(options.log, "a");
  const child = spawn(program, args, {
    detached: true,
    stdio: ["ignore", log, log],
    ...(options.env && { env: { ...options.env } }),
  });
  closeSync(log);
  const started = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<number | string>();
  let over = false;
  child.on("spawn", started.resolve);
  child.on("error", (error) => started.reject(new Error(`Cannot start ${argv.join(" ")}`, { cause: error })));
  child.on("exit", (code, signal) => {
    over = true;
    ended.resolve(code ?? signal ?? "unknown");
  });
  await started.promise;
  const { pid } = child;
  if (pid === undefined) throw new Error(`Cannot start ${program}: it has no process id`);
  return {
    pid,
    ended: ended.promise,
    hasEnded: () => over,
    async kill(signal) {
      if (!over) child.kill(signal);
      await ended.promise;
    },
    output: () => readFileSync(options.log, "utf8"),
  };
}
