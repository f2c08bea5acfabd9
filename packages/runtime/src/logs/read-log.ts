import { ChangeWatch } from "./change-watch.ts";
import { LineReader, readLinesBackwards } from "./lines.ts";
import { type LogEntry, parseLogLine } from "./log-entry.ts";
import { closeLogFiles, type LogFile, openLogFiles, openLogFilesAfter } from "./log-files.ts";

export interface LogOptions {
  /** Only the last so many lines of what is there; absent: all. */
  readonly tail?: number;
  /** Only entries from this time on (`formatLogTime`). */
  readonly since?: string;
  /** Nothing after this time. */
  readonly until?: string;
  /**
   * Go on with what is written from now on, until this settles and everything has been read, or until an entry comes that
   * is after `until`. Absent: only what is there.
   */
  readonly followUntil?: Promise<unknown>;
  readonly signal?: AbortSignal;
}

/** Later than any time. */
const never = "~";

/**
 * The entries of a container's log over all its rotated files, oldest first: `docs/contracts/log-format.md`. Lines that are
 * torn or foreign are left out. Holds one block of one file, however long the log is; a consumer that is slow while the
 * log rotates keeps what it has not read, unless a whole set of files passes it by.
 *
 * @param path the current file; a log that does not exist is empty
 * @throws what `signal` aborts with
 */
export async function* readLog(path: string, options: LogOptions = {}): AsyncGenerator<LogEntry> {
  const { since = "", until = never, signal } = options;
  for await (const lines of readBlocks(path, options)) {
    signal?.throwIfAborted();
    for (const line of lines) {
      const entry = parseLogLine(line);
      if (entry === undefined || entry.time < since) continue;
      if (entry.time > until) return;
      yield entry;
    }
  }
}

type Blocks = AsyncGenerator<readonly string[]>;

async function* readBlocks(path: string, options: LogOptions): Blocks {
  using watch = options.followUntil && new ChangeWatch(path, options.followUntil);
  const files = [...(await openLogFiles(path))];
  try {
    let position = await dropBeforeTail(files, options.tail);
    for (;;) {
      const file = files[0];
      if (file === undefined) {
        if (watch === undefined || !(await openFirst(path, files, { watch, options }))) return;
        continue;
      }
      const reader = new LineReader(file.handle, position);
      position = 0;
      if (files.length > 1) yield* readRest(reader);
      else if (watch === undefined) yield* readRest(reader, file.sizeBytes);
      else yield* readGrowing(reader, file, { path, files, watch, options });
      files.shift();
      await file.handle.close();
      if (files.length === 0) return;
    }
  } finally {
    await closeLogFiles(files);
  }
}

async function* readRest(reader: LineReader, endBytes?: number): Blocks {
  for (let lines = await reader.read(endBytes); lines !== undefined; lines = await reader.read(endBytes))
    yield lines;
}

/** Read a file while it grows; returns when there are newer ones, which are then in `files`, or nothing more will come. */
async function* readGrowing(
  reader: LineReader,
  file: LogFile,
  follow: {
    readonly path: string;
    readonly files: LogFile[];
    readonly watch: ChangeWatch;
    readonly options: LogOptions;
  },
): Blocks {
  for (;;) {
    const { isLast } = follow.watch.prepare();
    yield* readRest(reader);
    const newer = await openLogFilesAfter(follow.path, file.inode);
    follow.files.push(...newer);
    if (newer.length > 0) {
      yield* readRest(reader); // what was written between our last look and the rotation
      return;
    }
    if (isLast) return;
    reader.restartWhenTruncated((await file.handle.stat()).size);
    await follow.watch.wait(follow.options.signal);
  }
}

/** Wait for a log that does not exist yet; false when it will not. */
async function openFirst(
  path: string,
  files: LogFile[],
  follow: { readonly watch: ChangeWatch; readonly options: LogOptions },
): Promise<boolean> {
  for (;;) {
    const { isLast } = follow.watch.prepare();
    files.push(...(await openLogFiles(path)));
    if (files.length > 0) return true;
    if (isLast) return false;
    await follow.watch.wait(follow.options.signal);
  }
}

/** Close the files in front of the last `tail` lines and take them out; returns where in the first one left to begin. */
async function dropBeforeTail(files: LogFile[], tail: number | undefined): Promise<number> {
  if (tail === undefined) return 0;
  let start = { index: files.length - 1, position: files.at(-1)?.sizeBytes ?? 0 };
  let lines = 0;
  search: for (let index = files.length - 1; index >= 0; index -= 1) {
    const file = files[index];
    if (file === undefined) break;
    for await (const { line, position } of readLinesBackwards(file.handle, file.sizeBytes)) {
      const entry = parseLogLine(line);
      if (entry === undefined) continue;
      // An entry without a newline belongs to the line whose end came before, unless it is the very last.
      if (entry.text.endsWith("\n") || lines === 0) lines += 1;
      if (lines > tail) break search;
      start = { index, position };
    }
  }
  await closeLogFiles(files.splice(0, Math.max(0, start.index)));
  return start.position;
}
