import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { errnoOf, type IgnorePatterns, type TarSource, writeTar } from "@hawser/base";
import { type CopySource, namesContent } from "./copy-paths.ts";

/**
 * A thing and all below it as a tar archive, under `name` (default: its own; of a folder's content: none). Owners, modes and
 * times are the files' own, links stay links. Sockets are left out, as Docker does; so is what goes away meanwhile.
 */
export function packFiles(source: CopySource, name?: string): AsyncGenerator<Uint8Array, void, undefined> {
  const content = namesContent(source.path);
  const own = content ? "." : (source.name ?? basename(source.path));
  return writeTar(walk({ path: source.path, name: name ?? own, links: new Map() }));
}

/** The content of a folder without what is ignored, as entries of a tar archive. */
export function listContent(
  folder: string,
  ignored: IgnorePatterns,
): AsyncGenerator<TarSource, void, undefined> {
  return walk({ path: folder, name: ".", links: new Map(), ignored });
}

async function* walk(at: {
  readonly path: string;
  readonly name: string;
  /** Device and inode of files with several names → the first one in the archive. */
  readonly links: Map<string, string>;
  /** Of the content of the folder that the walk began with. */
  readonly ignored?: IgnorePatterns;
}): AsyncGenerator<TarSource, void, undefined> {
  const { path, name, links, ignored } = at;
  const own = name.slice("./".length);
  const isIgnored = own !== "" && ignored?.ignores(own) === true;
  if (isIgnored && !ignored.mayKeepBelow(own)) return;
  const entry = await describe(path, { name, links });
  if (entry === undefined || (isIgnored && entry.type !== "directory")) return;
  if (!isIgnored) yield entry;
  if (entry.type !== "directory") return;
  for (const child of (await readdir(path)).toSorted()) {
    const childName = name === "." ? `./${child}` : `${name}/${child}`;
    yield* walk({ path: join(path, child), name: childName, links, ...(ignored && { ignored }) });
  }
}

async function describe(
  path: string,
  { name, links }: { readonly name: string; readonly links: Map<string, string> },
): Promise<TarSource | undefined> {
  try {
    const stats = await lstat(path, { bigint: true });
    const common = {
      path: name,
      mode: Number(stats.mode & 0o7777n),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      mtimeNs: stats.mtimeNs,
    };
    if (stats.isDirectory()) return { ...common, type: "directory" };
    if (stats.isSymbolicLink())
      return { ...common, type: "symlink", linkPath: await readlink(path, "buffer") };
    if (stats.isFIFO()) return { ...common, type: "fifo" };
    if (stats.isCharacterDevice() || stats.isBlockDevice()) {
      const type = stats.isBlockDevice() ? "block-device" : "character-device";
      return { ...common, type, ...deviceNumbers(stats.rdev) };
    }
    if (!stats.isFile()) return undefined;
    if (stats.nlink > 1n) {
      const id = `${stats.dev}:${stats.ino}`;
      const first = links.get(id);
      if (first !== undefined) return { ...common, type: "hardlink", linkPath: first };
      links.set(id, name);
    }
    return { ...common, type: "file", content: fileContent(path, Number(stats.size)) };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function fileContent(path: string, sizeBytes: number) {
  // A file that grows gives what it had; one that shrinks is a failure, which writeTar tells.
  const open = () => createReadStream(path, { highWaterMark: 1 << 20, end: Math.max(0, sizeBytes - 1) });
  return sizeBytes === 0 ? new Uint8Array() : { sizeBytes, open };
}

/** makedev(3)'s way to put two numbers into one. */
function deviceNumbers(rdev: bigint): { readonly deviceMajor: number; readonly deviceMinor: number } {
  return {
    deviceMajor: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn)),
    deviceMinor: Number((rdev & 0xffn) | ((rdev >> 12n) & ~0xffn & 0xffffffffn)),
  };
}
