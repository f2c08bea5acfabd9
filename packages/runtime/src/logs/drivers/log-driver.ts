import type { LogEntry } from "../log-entry.ts";

/** What the messages of a container's log say of the container. */
export interface LogSubject {
  readonly containerId: string;
  readonly containerName: string;
  readonly imageId: string;
  /** As it was asked for. */
  readonly imageName: string;
  readonly command: string;
  /** RFC 3339. */
  readonly created: string;
  /** The `tag` option, its template filled in. */
  readonly tag: string;
  /** Labels and variables of the container that the log options name. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly hostname: string;
}

/** One line of output, or a part of a long one, without its newline. */
export interface LogMessage {
  readonly text: string;
  readonly stream: LogEntry["stream"];
  /** As log entries have it. */
  readonly time: string;
  /** Of a line that is longer than one message: which one it is, and which part of it. */
  readonly part?: { readonly id: string; readonly ordinal: number; readonly isLast: boolean };
}

/** An open way to where a driver sends the log to. */
export interface LogDestination extends AsyncDisposable {
  /** Returns when the receiver, or the kernel for it, has all of them. When it throws, it may have some. */
  send(messages: readonly LogMessage[]): Promise<void>;
}

export type LogOptionValues = Readonly<Record<string, string>>;

/** A log driver whose messages leave this engine. */
export interface LogDriver {
  /** Its options, beside those that every such driver has. */
  readonly options: readonly string[];
  /** @throws {Fault} `invalid-argument` in Docker's words: a value that can never work. */
  check(options: LogOptionValues): void;
  /** Whether a container may start while nobody is there to get its log; absent: it may not. */
  mayWait?(options: LogOptionValues): boolean;
  /** @throws why its receiver cannot be reached */
  open(options: LogOptionValues, subject: LogSubject): Promise<LogDestination>;
}
