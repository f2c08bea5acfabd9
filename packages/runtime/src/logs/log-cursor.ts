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
  readonly #start: LogPosition | undefined;
  #current: { readonly file: LogFile; readonly reader: LineReader } | undefined;

  /**
   * @param path the current file, which need not exist
   * @param start where to begin; the beginning when it has been rotated away, or is absent
   */
  constructor(path: string, start?: LogPosition) {
    this.#path = path;
    this.#start = start;
  }

  /** Behind the last entry that was given; before the first step of a log that does not exist: `undefined`. */
  get position(): LogPosition | undefined {
    if (this.#current === undefined) return this.#start;
    return { inode: this.#current.file.inode, offsetBytes: this.#current.reader.consumedBytes };
  }

  /** The entries that come next, up to `end`; absent: up to where the log ends now. */
  async *read(end?: LogPosition): AsyncGenerator<LogEntry> {
    for await (const entries of this.readBlocks(end)) yield* entries;
  }

  /** The same, some at a time: `position` is behind the last of them. */
  async *readBlocks(end?: LogPosition): AsyncGenerator<readonly LogEntry[]> {
    const newer = [...(await this.#openNewer(end))];
    try {
      for (;;) {
        if (this.#current !== undefined) {
          const { file, reader } = this.#current;
          const isLast = end === undefined ? newer.length === 0 : file.inode === end.inode;
          const endBytes = isLast ? (end?.offsetBytes ?? (await file.handle.stat()).size) : undefined;
          if (endBytes !== undefined) reader.restartWhenTruncated(endBytes);
          yield* readEntries(reader, endBytes);
          if (isLast) return;
        }
        const next = newer.shift();
        if (next === undefined) return;
        await this.#current?.file.handle.close();
        const begin = next.inode === this.#start?.inode ? this.#start.offsetBytes : 0;
        this.#current = { file: next, reader: new LineReader(next.handle, begin) };
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
    const files = await (inode === undefined ? this.#openFromStart() : openLogFilesAfter(this.#path, inode));
    if (end === undefined || files.some((file) => file.inode === end.inode)) return files;
    await closeLogFiles(files);
    return [];
  }

  async #openFromStart(): Promise<readonly LogFile[]> {
    const files = await openLogFiles(this.#path);
    const first = Math.max(
      0,
      files.findIndex(({ inode }) => inode === this.#start?.inode),
    );
    await closeLogFiles(files.slice(0, first));
    return files.slice(first);
  }
}

async function* readEntries(
  reader: LineReader,
  endBytes: number | undefined,
): AsyncGenerator<readonly LogEntry[]> {
  for (let lines = await reader.read(endBytes); lines !== undefined; lines = await reader.read(endBytes))
    yield lines.map(parseLogLine).filter((entry) => entry !== undefined);
}
