import { defaultStoreLimits } from "../limits.ts";
import type { FileStat } from "./file-stat.ts";
import type { CopyJob, FilesJob, WriteJob } from "./files-job.ts";
import { type FilesOptions, type FilesPlace, FilesRun } from "./files-run.ts";

/** A path of the API: its bytes, one a character. */
export const pathBytes = (text: string) => Buffer.from(text).toString("latin1");

/** @throws {Fault} `not-found`, `invalid-argument` */
export async function statPath(
  place: FilesPlace,
  path: string,
  options: FilesOptions = {},
): Promise<FileStat> {
  await using run = new FilesRun(place, { kind: "stat", path: pathBytes(path) }, options);
  return (await run.onlyResult()) as FileStat;
}

/**
 * How many parts of a path, from its beginning, are folders; links are followed inside of the root.
 *
 * @param parts names, none of them empty
 * @throws {Fault} `invalid-argument` for links without end
 */
export async function countFolders(
  place: FilesPlace,
  parts: readonly string[],
  options: FilesOptions = {},
): Promise<number> {
  if (parts.length === 0) return 0;
  const path = pathBytes(parts.join("/"));
  await using run = new FilesRun(place, { kind: "count-folders", path }, options);
  return (await run.onlyResult()) as number;
}

/** Bytes of all files, hard links counted once. */
export async function measureFiles(place: FilesPlace, options: FilesOptions = {}): Promise<number> {
  await using run = new FilesRun(place, { kind: "measure" }, options);
  return (await run.onlyResult()) as number;
}

/** A folder that overlay has written, and that is mounted nowhere any more, as the layer that it makes. */
export interface WrittenFolder {
  readonly path: string;
  /** Left out where they are empty; one byte a character. */
  readonly leaveOut: readonly string[];
  /** Nothing in it is younger, in ns since 1970. */
  readonly latestNs: bigint;
}

/** Its archive. Nothing of the folder changes. */
export function readWritten(
  { path, ...rest }: WrittenFolder,
  options: FilesOptions = {},
): AsyncIterable<Uint8Array> {
  return readFiles({ kind: "folder", path }, { kind: "layer", ...rest }, options);
}

/** The folder becomes what its archive says of it. Returns the bytes of its files. @throws {Fault} `internal` */
export async function settleWritten(
  { path, ...rest }: WrittenFolder,
  options: FilesOptions = {},
): Promise<number> {
  await using run = new FilesRun({ kind: "folder", path }, { kind: "settle", ...rest }, options);
  return (await run.onlyResult()) as number;
}

/** Remove a file or folder, with all that is in it. Nothing there is fine. @throws {Fault} `invalid-argument` */
export async function removePath(place: FilesPlace, path: string, options: FilesOptions = {}): Promise<void> {
  await using run = new FilesRun(place, { kind: "remove", path: pathBytes(path) }, options);
  await run.onlyResult();
}

/** A file or folder as an archive. Disposal ends it early; whoever opened it disposes of it. */
export interface OpenArchive extends AsyncDisposable {
  readonly stat: FileStat;
  readonly archive: AsyncIterable<Uint8Array>;
}

/** @throws {Fault} `not-found`, `invalid-argument`; the archive itself may throw later, too */
export async function openArchive(
  place: FilesPlace,
  path: string,
  options: FilesOptions = {},
): Promise<OpenArchive> {
  const run = new FilesRun(place, { kind: "read", path: pathBytes(path) }, options);
  try {
    const stat = (await run.result()) as FileStat;
    return { stat, archive: run.chunks(), [Symbol.asyncDispose]: () => run[Symbol.asyncDispose]() };
  } catch (error) {
    await run[Symbol.asyncDispose]();
    throw error;
  }
}

/** The bytes that a job makes: an archive, or lines of text. Leaving the loop early ends the work. */
export async function* readFiles(
  place: FilesPlace,
  job: Extract<FilesJob, { readonly kind: "export" | "layer" | "scan" | "list" | "pick" | "look" }>,
  options: FilesOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  await using run = new FilesRun(place, job, options);
  yield* run.chunks();
}

/**
 * Copy a file or folder of another root.
 *
 * @throws {Fault} `not-found`, `invalid-argument`, `permission-denied`, `resource-exhausted`; what came before stays
 */
export async function copyFile(
  place: FilesPlace,
  { signal, ...job }: FilesOptions & Omit<CopyJob, "kind">,
): Promise<void> {
  const bytesOf = {
    path: pathBytes(job.path),
    folder: pathBytes(job.folder),
    place: pathBytes(job.place),
    shownAs: pathBytes(job.shownAs),
  };
  await using run = new FilesRun(
    place,
    { ...job, ...bytesOf, kind: "copy" },
    signal === undefined ? {} : { signal },
  );
  await run.ended();
}

/**
 * Unpack an archive, plain or compressed as layers are, into a folder. One from outside: `withoutForeignCompression` comes before.
 *
 * @throws {Fault} `not-found`, `invalid-argument`, `data-loss`, `permission-denied`, `resource-exhausted`; what came before
 *   stays
 */
export async function writeArchive(
  place: FilesPlace,
  archive: AsyncIterable<Uint8Array>,
  options: FilesOptions & Omit<WriteJob, "kind" | "limits">,
): Promise<void> {
  const { signal, ...job } = options;
  const limits = defaultStoreLimits;
  await using run = new FilesRun(
    place,
    { kind: "write", ...job, path: pathBytes(job.path), limits },
    signal === undefined ? {} : { signal },
  );
  await run.feed(archive);
}
