import type { EngineClient } from "@hawser/api/client";
import type { ConfigFile } from "./config-file.ts";
import type { Environment } from "./options/environment-option.ts";

/** What surrounds a command: the process's streams and environment, the user's settings, the way to the engine. */
export interface Session {
  readonly environment: Environment;
  readonly workingDir: string;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Name of the context in use. */
  readonly contextName: string;
  readonly debug: boolean;
  now(): Date;
  config(): ConfigFile;
  /**
   * A client that has agreed on a version with the engine; the same one each time.
   *
   * @throws {Fault} `unavailable` or `permission-denied`, naming the cause.
   */
  connect(): Promise<EngineClient>;
  /** Signals that reach the process are given to `listener` until the result is disposed. */
  onSignal(names: readonly NodeJS.Signals[], listener: (name: NodeJS.Signals) => void): Disposable;
}

/** Write text; resolves when the system has taken it. */
export async function write(stream: NodeJS.WriteStream, text: string | Uint8Array): Promise<void> {
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
