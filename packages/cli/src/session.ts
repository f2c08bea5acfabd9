import type { Readable, Writable } from "node:stream";
import type { EngineClient } from "@hawser/api/client";
import type { ConfigFile } from "./config-file.ts";
import type { Environment } from "./options/environment-option.ts";
import type { RawMode } from "./terminal.ts";

/** Standard input, of this process or of another one's that this one works for. */
export interface Input extends Readable {
  readonly isTTY?: boolean;
}

/** Standard output or error. */
export interface Output extends Writable {
  readonly isTTY?: boolean;
  /** Of the terminal; `resize` tells of new ones. */
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

/** What surrounds a command: the process's streams and environment, the user's settings, the way to the engine. */
export interface Session {
  readonly environment: Environment;
  readonly workingDir: string;
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Folder of the user's settings; perhaps not there. */
  readonly configDir: string;
  /** Name of the context in use. */
  readonly contextName: string;
  /** The address of the engine that is meant without any context: by `--host` or environment, else of this machine. */
  defaultEndpoint(): string;
  readonly debug: boolean;
  now(): Date;
  config(): ConfigFile;
  /**
   * A client that has agreed on a version with the engine; the same one each time.
   *
   * @param options.mayStart start this machine's engine when it does not run; default: yes
   * @throws {Fault} `unavailable` or `permission-denied`, naming the cause.
   */
  connect(options?: { readonly mayStart: boolean }): Promise<EngineClient>;
  /** Signals that reach the process are given to `listener` until the result is disposed. */
  onSignal(names: readonly NodeJS.Signals[], listener: (name: NodeJS.Signals) => void): Disposable;
  /** The terminal of standard input in raw mode until disposed; nothing when it is no terminal. */
  rawMode(): RawMode;
}

/** Write text; resolves when the system has taken it. */
export async function write(stream: Output, text: string | Uint8Array): Promise<void> {
  if (text.length === 0) return;
  await new Promise<void>((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** A line on standard output. */
export async function printLine(session: Session, line: string): Promise<void> {
  await write(session.stdout, `${line}\n`);
}

/** A line on standard error. */
export async function warnLine(session: Session, line: string): Promise<void> {
  await write(session.stderr, `${line}\n`);
}
