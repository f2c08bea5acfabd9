import { type FileHandle, open, stat } from "node:fs/promises";
import { errnoOf } from "@hawser/base";

/** A file of a rotated log, held open: its name may change, the file stays. */
export interface LogFile {
  readonly handle: FileHandle;
  readonly inode: bigint;
  /** When it was opened. */
  readonly sizeBytes: number;
}

/** Rotation keeps fewer files than this (`log-max-files`). */
const mostFiles = 1000;

/**
 * Open all files of a log, oldest first: `<path>.<n>` … `<path>.1`, `<path>`. A rotation meanwhile shows as a current file
 * that is another one than at first; then it is done again. Empty when there is no log.
 */
export async function openLogFiles(path: string): Promise<readonly LogFile[]> {
  for (;;) {
    const files: LogFile[] = [];
    for (let index = 0; index < mostFiles; index += 1) {
      const file = await openLogFile(index === 0 ? path : `${path}.${index}`);
      if (file === undefined && index > 0) break;
      if (file !== undefined) files.unshift(file);
    }
    const current = await inodeOf(path);
    if (current === undefined || current === files.at(-1)?.inode) return files;
    await closeLogFiles(files);
  }
}

/**
 * Open the files that came after the one with this inode, oldest first; all there are when that one has been rotated away.
 * Empty when it is the current one.
 */
export async function openLogFilesAfter(path: string, inode: bigint): Promise<readonly LogFile[]> {
  if ((await inodeOf(path)) === inode) return [];
  const files = await openLogFiles(path);
  const position = files.findIndex((file) => file.inode === inode);
  await closeLogFiles(files.slice(0, position + 1));
  return files.slice(position + 1);
}

export async function closeLogFiles(files: readonly LogFile[]): Promise<void> {
  await Promise.all(files.map(({ handle }) => handle.close()));
}

async function openLogFile(path: string): Promise<LogFile | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  const { ino, size } = await handle.stat({ bigint: true });
  return { handle, inode: ino, sizeBytes: Number(size) };
}

async function inodeOf(path: string): Promise<bigint | undefined> {
  try {
    return (await stat(path, { bigint: true })).ino;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
