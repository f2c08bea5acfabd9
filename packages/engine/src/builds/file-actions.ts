import { posix } from "node:path";
import {
  compileIgnorePatterns,
  Fault,
  readTar,
  type TarSource,
  tarPathBytes,
  tarSourceOf,
  writeTar,
} from "@hawser/base";
import type { CopyAction, FileAction, OwnerPart } from "@hawser/build";
import { resolveUser } from "@hawser/runtime";
import {
  type FilesPlace,
  modeChange,
  OpenFiles,
  openArchive,
  removePath,
  statPath,
  withoutForeignCompression,
  writeArchive,
} from "@hawser/store";
import { readAccounts } from "../containers/accounts.ts";
import { type CopyInput, type FilesWork, openTarget, rootOf } from "./copy-files.ts";
import { buildFaults } from "./faults.ts";
import { hasWildcard } from "./path-pattern.ts";
import {
  type Dress,
  fileBytes,
  findFolder,
  folderModeOf,
  isFolder,
  joinPath,
  latin1,
  linkOf,
  looksPacked,
  type Owner,
  parentEntries,
  restOf,
  selectFiles,
  statIfThere,
  type Tree,
} from "./tree-files.ts";

/** Do what a file action says, with what it means in BuildKit. @throws {Fault} `invalid-argument` */
export async function doFileAction(
  action: FileAction,
  inputs: readonly (CopyInput | undefined)[],
  work: FilesWork,
): Promise<void> {
  await using target = new Target(work);
  switch (action.kind) {
    case "copy":
      return await copy(action, inputs, target);
    case "remove":
      return await remove(action, target);
    case "make-folder": {
      const dress = dressOf(action, inputs, work);
      const { missing, folder } = await target.find(action.path);
      if (missing === "") return;
      if (!action.makesParents) {
        if (missing.includes("/"))
          throw buildFaults.FILE_ACTION("mkdir", action.path, "no such file or directory");
        if ((await target.stat(action.path)) !== undefined) return;
      }
      return await target.write(parentEntries(`${missing}/`, { ...dress, folderMode: action.mode }), folder);
    }
    case "make-file": {
      const { timeNs, owner } = dressOf(action, inputs, work);
      const { path, isThere } = await target.follow(action.path);
      const there = isThere ? await target.header(path) : undefined;
      if (there?.type === "directory") throw buildFaults.FILE_ACTION("mkfile", action.path, "is a directory");
      const entry: TarSource = {
        path: posix.basename(path),
        type: "file",
        mode: action.mode,
        // Of a file that is there only what is in it is another.
        ...(there?.type === "file" && { mode: there.mode, uid: there.uid, gid: there.gid }),
        ...owner,
        mtimeNs: timeNs ?? target.epochNs,
        content: Buffer.from(action.content, "base64"),
      };
      return await target.write([entry], await target.parent("mkfile", path));
    }
    case "make-link": {
      const { timeNs, owner } = dressOf(action, inputs, work);
      const path = posix.resolve("/", action.path);
      if ((await target.stat(path)) !== undefined)
        throw buildFaults.FILE_ACTION("symlink", path, "file exists");
      const entry: TarSource = {
        path: posix.basename(path),
        type: "symlink",
        linkPath: action.target,
        ...owner,
        mtimeNs: timeNs ?? target.epochNs,
      };
      return await target.write([entry], await target.parent("symlink", path));
    }
  }
}

/** The file system that is changed. */
class Target implements AsyncDisposable {
  readonly work: FilesWork;
  readonly root: OpenFiles;

  constructor(work: FilesWork) {
    this.work = work;
    this.root = openTarget(work);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.root[Symbol.asyncDispose]();
  }

  get epochNs(): bigint {
    return BigInt(this.work.epochMs) * 1_000_000n;
  }

  /** @see findFolder */
  find(path: string) {
    return findFolder(this.root, path, this.work);
  }

  /** Of the last part itself, should it be a link; `undefined`: there is none. */
  async stat(path: string) {
    return await statIfThere({ root: this.root, path }, this.work);
  }

  /** The place that a link at the end of a path leads to. */
  async follow(path: string): Promise<{ readonly path: string; readonly isThere: boolean }> {
    const stat = await this.stat(path);
    const isThere = stat !== undefined;
    return { path: stat?.linkTarget || posix.resolve("/", path), isThere };
  }

  /** All but the content of what is there; `undefined`: a link leads nowhere. */
  async header(path: string) {
    try {
      await using opened = await openArchive(this.root, path, this.work);
      for await (const { entry } of readTar(opened.archive)) return entry;
    } catch (error) {
      if (!Fault.is(error, "not-found")) throw error;
    }
    return undefined;
  }

  /** The folder that a path is in. @throws {Fault} `invalid-argument` when it is not there */
  async parent(what: string, path: string): Promise<string> {
    const { folder, missing } = await this.find(posix.dirname(path));
    if (missing !== "") throw buildFaults.FILE_ACTION(what, path, "no such file or directory");
    return folder;
  }

  async write(
    entries: Iterable<TarSource> | AsyncIterable<TarSource>,
    folder: string,
    { keepKinds = true }: { readonly keepKinds?: boolean } = {},
  ): Promise<void> {
    const { signal } = this.work;
    await writeArchive(this.root, writeTar(entries), { keepKinds, keepFolder: true, path: folder, signal });
  }
}

async function remove(
  action: Extract<FileAction, { readonly kind: "remove" }>,
  target: Target,
): Promise<void> {
  const { path, mayBeMissing, hasWildcards } = action;
  if (posix.resolve("/", path) === "/") throw buildFaults.FILE_ACTION("rm", path, "invalid empty path");
  const paths =
    hasWildcards && hasWildcard(path)
      ? await selectIfAny(target.root, path, target.work)
      : [posix.resolve("/", path)];
  for (const one of paths) {
    if (!mayBeMissing && (await target.stat(one)) === undefined) {
      throw buildFaults.FILE_ACTION("rm", one, "no such file or directory");
    }
    await removePath(target.root, one, target.work);
  }
}

async function selectIfAny(root: FilesPlace, pattern: string, work: FilesWork): Promise<readonly string[]> {
  try {
    return await selectFiles(root, pattern, work);
  } catch (error) {
    if (Fault.is(error, "invalid-argument")) return [];
    throw error;
  }
}

async function copy(
  action: CopyAction,
  inputs: readonly (CopyInput | undefined)[],
  target: Target,
): Promise<void> {
  const { work } = target;
  const { source, target: place } = action;
  const input = inputs[action.input];
  await using root = input && new OpenFiles(rootOf(input));
  if (!action.makesParents) await target.parent("copy", posix.resolve("/", place));
  const selects = action.hasWildcards && hasWildcard(source);
  if (root === undefined) {
    if (selects && action.mayMatchNothing) return;
    throw buildFaults.FILE_MISSING(source);
  }
  const paths = selects ? await selectIfAny(root, source, work) : [posix.resolve("/", source).slice(1)];
  if (paths.length === 0 && !action.mayMatchNothing) throw buildFaults.FILE_MISSING(source);
  const dress = { ...dressOf(action, inputs, work), folderMode: folderModeOf(action) };
  const required = new Set(action.include.length === 0 ? [] : action.required);
  for (const path of paths) {
    const found = await findSource({ root, path }, action, work);
    const isContext = input?.kind === "context";
    await copyOne({ ...found, asked: path, isContext }, { action, dress, target, required });
  }
  for (const path of required) throw buildFaults.FILE_MISSING(path);
}

interface Source extends Tree {
  /** Before links were followed: the name is that. */
  readonly asked: string;
  readonly isFolder: boolean;
  readonly isFile: boolean;
  readonly isContext: boolean;
}

async function findSource({ root, path }: Tree, { followsLinks }: CopyAction, work: FilesWork) {
  const stat = await statIfThere({ root, path }, work);
  if (stat === undefined) throw buildFaults.FILE_MISSING(path);
  const followed = followsLinks && stat.linkTarget !== "" ? stat.linkTarget.slice(1) : path;
  const found = followed === path ? stat : await statIfThere({ root, path: followed }, work);
  if (found === undefined) throw buildFaults.FILE_MISSING(path);
  return { root, path: followed, isFolder: isFolder(found), isFile: (found.mode & 0o170000) === 0o100000 };
}

interface CopyWork {
  readonly action: CopyAction;
  readonly dress: Dress;
  readonly target: Target;
  /** Paths that must come, of those that have not. */
  readonly required: Set<string>;
}

async function copyOne(source: Source, copying: CopyWork): Promise<void> {
  const { action, dress, target } = copying;
  const { work } = target;
  const place = posix.resolve("/", action.target);
  if (action.unpacks && source.isFile && (await looksPacked(source, work))) {
    const { folder, missing } = await target.find(place);
    await target.write(parentEntries(`${missing}/`, { ...dress, folderMode: 0o755 }), folder);
    const path = posix.join(folder, missing);
    const options = { keepKinds: false, keepFolder: true, path, signal: work.signal };
    return await writeArchive(target.root, withoutForeignCompression(fileBytes(source, work)), {
      ...options,
      ...(dress.owner && { owner: dress.owner }),
    });
  }
  const there = await target.find(place);
  // A folder is meant, or there is one.
  const isIntoFolder = there.missing === "" || /\/\.?$/.test(action.target);
  const isInside = isIntoFolder && !(source.isFolder && action.copiesContent);
  const name = posix.basename(`/${source.asked}`);
  const own = isInside || there.missing === "" ? place : (await target.follow(place)).path;
  const end = isInside ? posix.join(place, name) : own;
  const { folder, missing } = end === place ? there : await target.find(end);
  const entries = entriesOf(source, missing, copying);
  await target.write(withParents(entries, missing, dress), folder, { keepKinds: !action.replaces });
}

async function* withParents(
  entries: AsyncIterable<TarSource>,
  place: string,
  dress: Dress,
): AsyncGenerator<TarSource, void, undefined> {
  yield* parentEntries(place, dress);
  yield* entries;
}

/** What is copied, below `place`. Folders that are left out come all the same when something in them does not. */
async function* entriesOf(
  source: Source,
  place: string,
  { action, dress, target, required }: CopyWork,
): AsyncGenerator<TarSource, void, undefined> {
  const { work } = target;
  const include = action.include.length === 0 ? undefined : compilePatterns(action.include);
  const exclude = compilePatterns(action.exclude);
  const changeMode = modeChange(action);
  /** Folders on the way that have not come. */
  let waiting: TarSource[] = [];
  /** Where a file came that has several names. */
  const came = new Map<string, string>();
  await using opened = await openArchive(source.root, `/${source.path}`, work);
  for await (const { entry, data } of readTar(opened.archive)) {
    const rest = restOf(entry.path, source);
    const shown = Buffer.from(rest, "latin1").toString();
    const path = joinPath(latin1(place), rest);
    const isIn = rest === "" || ((include?.ignores(shown) ?? true) && !exclude.ignores(shown));
    if (isIn) {
      const full = posix.join("/", source.path, shown);
      for (const wanted of required) if (full.startsWith(wanted)) required.delete(wanted);
    }
    if (path === "") continue; // the folder that is there
    const made: TarSource = {
      ...tarSourceOf({ entry, data }),
      path: tarPathBytes(path),
      linkPath: linkOf(entry, { place, source }),
      ...(entry.type !== "symlink" && { mode: changeMode(entry.mode, entry.type === "directory") }),
      ...(source.isContext && { uid: 0, gid: 0, mtimeNs: target.epochNs }),
      ...dress.owner,
      ...(dress.timeNs !== undefined && { mtimeNs: dress.timeNs }),
    };
    waiting = waiting.filter((folder) => path.startsWith(`${Buffer.from(folder.path).toString("latin1")}/`));
    if (!isIn) {
      if (entry.type === "directory") waiting.push(made);
      continue;
    }
    yield* waiting;
    waiting = [];
    if (entry.type === "hardlink") {
      const first = restOf(entry.linkPath, source);
      const at = came.get(first);
      came.set(first, at ?? path);
      yield at === undefined
        ? { ...made, type: "file", content: await contentOf(source, first, work) }
        : { ...made, linkPath: tarPathBytes(at) };
      continue;
    }
    if (entry.type === "file") came.set(rest, path);
    yield made;
  }
}

/** A file whose first name was left out. @param rest below the source, one byte a character */
async function contentOf(source: Source, rest: string, work: FilesWork) {
  const path = posix.join(source.path, Buffer.from(rest, "latin1").toString());
  const { sizeBytes } = await statPath(source.root, `/${path}`, work);
  return { sizeBytes, open: () => fileBytes({ root: source.root, path }, work) };
}

function compilePatterns(patterns: readonly string[]) {
  try {
    return compileIgnorePatterns(patterns);
  } catch (error) {
    throw buildFaults.PATTERN_INVALID(patterns.join(" ")).because(error);
  }
}

function dressOf(
  { owner, timeNs }: Pick<CopyAction, "owner" | "timeNs">,
  inputs: readonly (CopyInput | undefined)[],
  work: FilesWork,
): Dress {
  const found = owner && ownerOf(owner, inputs, work);
  return { owner: found, timeNs: timeNs === undefined ? undefined : BigInt(timeNs), work };
}

/** As BuildKit: a name that nobody knows is root's. */
function ownerOf(
  { user, group }: NonNullable<CopyAction["owner"]>,
  inputs: readonly (CopyInput | undefined)[],
  work: FilesWork,
): Owner {
  const accountsAt = ({ input }: { readonly input: number }) => {
    const from = inputs[input];
    if (input === 0) return readAccounts(work.overlay);
    if (from?.kind !== "files") return { passwd: "", group: "" };
    const [upper = "", ...lower] = from.lower;
    return readAccounts({ upper, lower, work: "" });
  };
  const find = (part: OwnerPart | undefined, textOf: (name: string) => string) => {
    if (part === undefined || "id" in part) return { uid: part?.id ?? 0, gid: part?.id ?? 0 };
    try {
      return resolveUser(textOf(part.name), accountsAt(part));
    } catch {
      return { uid: 0, gid: 0 };
    }
  };
  const { uid, gid } = find(user, (name) => name);
  return { uid, gid: group === undefined ? gid : find(group, (name) => `0:${name}`).gid };
}
