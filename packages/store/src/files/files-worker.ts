import { accessSync, constants, lstatSync, statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { parentPort } from "node:worker_threads";
import { compileIgnorePatterns, errnoOf, Fault, type IgnorePatterns, TarParser } from "@hawser/base";
import { confineThread, confineThreadToView, releaseThread } from "@hawser/linux";
import type { UserMap } from "@hawser/oci";
import { decompress } from "../layers/decompress.ts";
import { LayerWriter } from "../layers/layer-writer.ts";
import { forgetVolatile } from "../snapshots/forget-volatile.ts";
import { faultKindOfErrno } from "../worker-errno.ts";
import { copyTree } from "./copy-tree.ts";
import { folderAt, statFile } from "./file-stat.ts";
import {
  chunksAhead,
  type FilesCommand,
  type FilesJob,
  type FilesReport,
  type FilesRoot,
  type ListedEntry,
  type UpperEntry,
  type WriteJob,
} from "./files-job.ts";
import { followLinks } from "./follow-links.ts";
import { fsPath } from "./fs-path.ts";
import { look } from "./look.ts";
import { resolvePath, resolveUserPath } from "./resolve-path.ts";
import { leftOutBy, removeTree, settle } from "./settle.ts";
import { tarEnd, tarTree } from "./tar-tree.ts";
import { entriesIn, isOpaque, namesIn } from "./tree-events.ts";

const chunkBytes = 256 * 1024;
const entriesOfLine = 500;
const { S_IFDIR, S_IFMT, S_IFSOCK } = constants;
const report = (message: FilesReport) => parentPort?.postMessage(message);

/** What the starter sends, in order. */
class Commands {
  #next: Extract<FilesCommand, { readonly kind: "begin" | "release" }> | undefined;
  #more = 0;
  #pieces: (Uint8Array | undefined)[] = [];
  #news = Promise.withResolvers<void>();

  constructor() {
    parentPort?.on("message", (command: FilesCommand) => {
      switch (command.kind) {
        case "begin":
        case "release":
          this.#next = command;
          this.#more = chunksAhead;
          this.#pieces = [];
          break;
        case "more":
          this.#more += 1;
          break;
        case "piece":
          this.#pieces.push(command.bytes);
      }
      this.#news.resolve();
    });
  }

  /** The next job, or that there is none. */
  async next(): Promise<Extract<FilesCommand, { readonly kind: "begin" | "release" }>> {
    while (this.#next === undefined) await this.#wait();
    const next = this.#next;
    this.#next = undefined;
    return next;
  }

  /** Wait until a chunk may be sent. */
  async takeMore(): Promise<void> {
    while (this.#more === 0) await this.#wait();
    this.#more -= 1;
  }

  async *pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let ahead = 1; ahead < chunksAhead; ahead += 1) report({ kind: "want" });
    for (;;) {
      report({ kind: "want" });
      while (this.#pieces.length === 0) await this.#wait();
      const piece = this.#pieces.shift();
      if (piece === undefined) return;
      yield piece;
    }
  }

  async #wait(): Promise<void> {
    await this.#news.promise;
    this.#news = Promise.withResolvers();
  }
}

async function work(job: FilesJob, userMap: UserMap | undefined, commands: Commands): Promise<void> {
  switch (job.kind) {
    case "stat":
      report({ kind: "result", value: statFile(job.path).stat });
      return;
    case "count-folders":
      report({ kind: "result", value: countFolders(job.path.split("/")) });
      return;
    case "read": {
      const { stat: found, path } = statFile(job.path);
      report({ kind: "result", value: found });
      const name = Buffer.from(found.name).toString("latin1");
      await send(tarTree({ path, name, ...(userMap && { userMap }) }), commands);
      return;
    }
    case "export":
      await send(tarTree({ path: "", name: "", ...(userMap && { userMap }) }), commands);
      return;
    case "layer": {
      const { latestNs } = job;
      const clamp = latestNs === undefined ? {} : { latestNs };
      const leaveOut = leftOutBy(job.leaveOut);
      await send(tarTree({ path: "", name: "", asLayer: true, leaveOut, ...clamp }), commands);
      return;
    }
    case "settle":
      report({ kind: "result", value: settle(job) });
      return;
    case "scan":
      await send(scan(""), commands, { isText: true });
      return;
    case "list":
      await send(inLines(list("", leftOutOf(job))), commands, { isText: true });
      return;
    case "pick":
      await send(pick(job.paths), commands);
      return;
    case "look":
      await send(look(job), commands, { isText: true });
      return;
    case "measure":
      report({ kind: "result", value: measure("", new Set()) });
      return;
    case "remove":
      removeTree(resolveUserPath(job.path).path);
      report({ kind: "result", value: 0 });
      return;
    case "copy":
      copyTree(job, confine);
      return;
    case "write":
      await write(job, userMap, commands);
  }
}

function confine(root: FilesRoot): void {
  switch (root.kind) {
    case "folder":
      confineThread(root.path);
      return;
    case "layers":
      if (root.volatile === true && root.work !== undefined) forgetVolatile(root.work);
      confineThreadToView(root, root.binds);
      return;
    case "namespace":
      confineThreadToView(root);
  }
}

async function send(
  pieces: Iterable<Uint8Array>,
  commands: Commands,
  options: { readonly isText?: boolean } = {},
): Promise<void> {
  let chunk = Buffer.allocUnsafeSlow(chunkBytes);
  let used = 0;
  const flush = async (bytes: Uint8Array) => {
    await commands.takeMore();
    report({ kind: "chunk", bytes });
  };
  const add = async (piece: Uint8Array) => {
    if (used + piece.length > chunkBytes) {
      if (used > 0) await flush(chunk.subarray(0, used));
      chunk = Buffer.allocUnsafeSlow(chunkBytes);
      used = 0;
    }
    if (piece.length > chunkBytes) return await flush(piece);
    chunk.set(piece, used);
    used += piece.length;
  };
  for (const piece of pieces) await add(piece);
  if (options.isText !== true) await add(tarEnd);
  if (used > 0) await flush(chunk.subarray(0, used));
}

async function write(job: WriteJob, userMap: UserMap | undefined, commands: Commands): Promise<void> {
  const base = folderAt(job.path);
  const parser = new TarParser({ maxEntries: job.limits.maxEntries });
  const writer = new LayerWriter({
    ...(userMap && { userMap }),
    base,
    plain: true,
    keepKinds: job.keepKinds,
    keepBase: job.keepFolder,
    ...(job.owner && { owner: job.owner }),
  });
  try {
    for await (const chunk of decompress(commands.pieces(), job.limits)) {
      for (const event of parser.feed(Buffer.from(chunk))) writer.take(event);
    }
    parser.finish();
    writer.finish();
  } finally {
    writer.close();
  }
}

function countFolders(parts: readonly string[]): number {
  for (let count = parts.length; count > 0; count--) {
    const path = resolvePath(parts.slice(0, count).join("/"));
    if (statSync(fsPath(path), { throwIfNoEntry: false })?.isDirectory() === true) return count;
  }
  return 0;
}

function* scan(folder: string): Generator<Uint8Array, void, undefined> {
  for (const name of namesIn(folder)) {
    const path = folder === "" ? name : `${folder}/${name}`;
    const stats = lstatSync(fsPath(path), { throwIfNoEntry: false });
    if (stats === undefined) continue;
    const isFolder = stats.isDirectory();
    const isWhiteout = stats.isCharacterDevice() && stats.rdev === 0;
    const other = isWhiteout ? "whiteout" : "other";
    const entry: UpperEntry = {
      path,
      kind: isFolder ? (isOpaque(path) ? "opaque-folder" : "folder") : other,
      mode: stats.mode,
      uid: stats.uid,
      gid: stats.gid,
      sizeBytes: stats.size,
      mtimeMs: stats.mtimeMs,
    };
    yield Buffer.from(`${JSON.stringify(entry)}\n`);
    if (isFolder) yield* scan(path);
  }
}

function leftOutOf({ ignore, follow }: Extract<FilesJob, { readonly kind: "list" }>): IgnorePatterns {
  const ignored = compileIgnorePatterns(ignore);
  const wanted = follow && followLinks(follow);
  if (wanted === undefined) return ignored;
  const others = compileIgnorePatterns(["**", ...wanted.map((pattern) => `!${pattern}`)]);
  return {
    ignores: (path) => others.ignores(path) || ignored.ignores(path),
    mayKeepBelow: (folder) =>
      [others, ignored].every((one) => !one.ignores(folder) || one.mayKeepBelow(folder)),
  };
}

/** Folders that are left out come all the same when something in them does not. */
function* list(folder: string, ignore: IgnorePatterns): Generator<ListedEntry, void, undefined> {
  for (const { name, mode, mark } of entriesIn(folder)) {
    const type = mode & S_IFMT;
    if (type === S_IFSOCK) continue;
    const path = folder === "" ? name : `${folder}/${name}`;
    const shown = Buffer.from(path, "latin1").toString();
    const isIgnored = ignore.ignores(shown);
    const isFolder = type === S_IFDIR;
    const inside = isFolder && (!isIgnored || ignore.mayKeepBelow(shown)) ? [...list(path, ignore)] : [];
    if (!isIgnored || inside.length > 0) {
      // A folder's own times change with what is in it, which is listed.
      yield [path, isFolder ? mark.split(" ", 3).join(" ") : mark];
    }
    yield* inside;
  }
}

/** A line for many: of ten thousand files, lines take longer than files. */
function* inLines(entries: Iterable<ListedEntry>): Generator<Uint8Array, void, undefined> {
  let some: ListedEntry[] = [];
  for (const entry of entries) {
    if (some.push(entry) < entriesOfLine) continue;
    yield Buffer.from(`${JSON.stringify(some)}\n`);
    some = [];
  }
  yield Buffer.from(`${JSON.stringify(some)}\n`);
}

function* pick(paths: readonly string[]): Generator<Uint8Array, void, undefined> {
  for (const path of paths) yield* tarTree({ path, name: path, isShallow: true });
}

/** Bytes of files, each counted once however many names it has. */
function measure(folder: string, seen: Set<string>): number {
  let sizeBytes = 0;
  for (const name of namesIn(folder)) {
    const path = folder === "" ? name : `${folder}/${name}`;
    const stats = lstatSync(fsPath(path), { throwIfNoEntry: false });
    if (stats === undefined) continue;
    if (stats.isDirectory()) sizeBytes += measure(path, seen);
    else {
      const key = `${stats.dev}:${stats.ino}`;
      if (stats.nlink > 1 && seen.has(key)) continue;
      if (stats.nlink > 1) seen.add(key);
      sizeBytes += stats.size;
    }
  }
  return sizeBytes;
}

/** Where there is no room for its work folder, overlay is mounted all the same, and nothing can be written to it. */
function lacksWorkFolder(): boolean {
  if (openRoot?.kind !== "layers" || openRoot.upper === undefined || openRoot.readOnly === true) return false;
  try {
    accessSync("/", constants.W_OK);
    return false;
  } catch (error) {
    return errnoOf(error) === "EROFS";
  }
}

function failure(error: unknown): FilesReport {
  const problem = error instanceof Error ? error.message : String(error);
  if (Fault.is(error)) {
    const words = problem.replace(/^Cannot unpack layer: /, "Cannot copy files: ");
    return { kind: "failed", fault: error.kind, problem: words };
  }
  if (errnoOf(error) === "EROFS") {
    if (!lacksWorkFolder()) return { kind: "failed", fault: "permission-denied", problem };
    const words = problem.replace("EROFS: read-only file system", "ENOSPC: no space left on device");
    return { kind: "failed", fault: "resource-exhausted", problem: words };
  }
  const fault = faultKindOfErrno(error, ["EBUSY", "ENOTEMPTY"]);
  return {
    kind: "failed",
    fault,
    problem: fault === "invalid-argument" ? `Cannot copy files: ${problem}` : problem,
  };
}

// Threads share their starter's root. Node's thread pool, which goes on to serve the whole process, must exist before.
await stat("/");
const commands = new Commands();
let openRoot: FilesRoot | undefined;
let userMap: UserMap | undefined;
try {
  for (;;) {
    const command = await commands.next();
    if (command.kind === "release") {
      releaseThread();
      report({ kind: "released" });
      continue;
    }
    const { root, job } = command;
    if (root !== undefined) {
      openRoot = root;
      userMap = root.kind === "namespace" ? root.userMap : undefined;
      confine(root);
    }
    await work(job, userMap, commands);
    report({ kind: "end" });
  }
} catch (error) {
  // It may not be where it should: no job follows one that failed.
  report(failure(error));
  parentPort?.close();
}
