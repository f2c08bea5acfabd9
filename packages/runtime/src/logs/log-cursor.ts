import { LineReader } from "./lines.ts";
import { type LogEntry, parseLogLine } from "./log-entry.ts";
import { closeLogFiles, type LogFile, openLogFiles, openLogFilesAfter } from "./log-files.ts";

/** A place in a log, between two entries. */
export interface LogPosition {
  /** Of a file that somebody holds open: the number of one that is gone may be another's. */
  readonly inode: bigint;
  readonly offsetBytes: number;
}

/**
 * Reads a log in steps, each of which goes on where the last one ended, over rotations too: the file that it has come to stays
 * open. Something is missed only when a whole set of files is rotated away between two steps.
 */
export class LogCursor implements AsyncDisposable {
  readonly #path: string;
  #current: { readonly file: LogFile; readonly reader: LineReader } | undefined;

  /** @param path the current file, which need not exist */
  constructor(path: string) {
    this.#path = path;
  }

  /** The entries that come next, up to `end`; absent: up to where the log ends now. */
  async *read(end?: LogPosition): AsyncGenerator<LogEntry> {
    const newer = [...(await this.#openNewer(end))];
    try {
      for (;;) {
        if (this.#current !== undefined) {
          const { file, reader } = this.#current;
          const isLast = end === undefined ? newer.length === 0 : file.inode === end.inode;
          yield* readEntries(
            reader,
            isLast ? (end?.offsetBytes ?? (await file.handle.stat()).size) : undefined,
          );
          if (isLast) return;
        }
        const next = newer.shift();
        if (next === undefined) return;
        await this[Symbol.asyncDispose]();
        this.#current = { file: next, reader: new LineReader(next.handle) };
      }
    } finally {
      await closeLogFiles(newer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#current?.file.handle.close();
    this.#current = undefined;
  }

  /** Those after the current one; none when the one that `end` is in has been rotated away: what is left came after it. */
  async #openNewer(end: LogPosition | undefined): Promise<readonly LogFile[]> {
    const inode = this.#current?.file.inode;
    if (inode !== undefined && inode === end?.inode) return [];
    const files = await (inode === undefined
      ? openLogFiles(this.#path)
      : openLogFilesAfter(this.#path, inode));
    if (end === undefined || files.some((file) => file.inode === end.inode)) return files;
    await closeLogFiles(files);
    return [];
  }
}

async function* readEntries(reader: LineReader, endBytes: number | undefined): AsyncGenerator<LogEntry> {
  for (let lines = await reader.read(endBytes); lines !== undefined; lines = await reader.read(endBytes)) {
    for (const line of lines) {
      const entry = parseLogLine(line);
      if (entry !== undefined) yield entry;
    }
  }
}
