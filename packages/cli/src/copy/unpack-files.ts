import { constants } from "node:fs";
import { chmod, lchown, link, lstat, mkdir, open, rm, symlink, utimes } from "node:fs/promises";
import { basename, normalize } from "node:path";
import { errnoOf, readTar, rootedTarPath, type TarEntry, type TarMember, tarPathBytes } from "@hawser/base";
import { cliFaults } from "../faults.ts";
import { type CopyPlace, namesContent } from "./copy-paths.ts";

export interface UnpackRequest extends CopyPlace {
  /** What the engine was asked for: its last part is the first of all names in the archive. */
  readonly sourcePath: string;
  readonly keepOwners: boolean;
}

/**
 * Unpack an archive from a container below a folder. The archive is the container's, so hostile: no name leads out of the
 * folder and nothing is written through a link. Docker's rule holds that folders and other things do not replace each other.
 *
 * @returns what could not be made: device nodes and pipes
 * @throws {Fault} `invalid-argument`
 */
export async function unpackFiles(
  archive: AsyncIterable<Uint8Array>,
  request: UnpackRequest,
): Promise<readonly string[]> {
  const skipped: string[] = [];
  const folders: { readonly place: Buffer; readonly entry: TarEntry }[] = [];
  const nameOf = renamer(request);
  const known = new Set<string>();
  for await (const member of readTar(archive)) {
    const { entry } = member;
    const name = nameOf(entry.path);
    if (name === "") continue; // the folder itself
    await makeParents(request.folder, name, known);
    const place = placeOf(request.folder, name);
    await clearPlace(place, entry, request.folder);
    known.delete(name);
    if (entry.type === "directory") {
      await mkdir(place, { mode: 0o700 }).catch(ignore("EEXIST"));
      known.add(name);
      folders.push({ place, entry });
      continue;
    }
    if (!(await makeMember(member, place, { linked: () => linkedPlace(entry) }))) {
      skipped.push(name);
      continue;
    }
    if (entry.type !== "hardlink") await dress(place, entry, request.keepOwners);
  }
  // Deepest first: a folder's time changes when something is made in it, and its mode may forbid that.
  for (const { place, entry } of folders.toReversed()) await dress(place, entry, request.keepOwners);
  return skipped;

  async function linkedPlace(entry: TarEntry): Promise<Buffer> {
    const target = nameOf(entry.linkPath);
    await makeParents(request.folder, target, known);
    return placeOf(request.folder, target);
  }
}

/** From a name in the archive to one below the folder. */
function renamer({ sourcePath, name }: UnpackRequest): (path: Buffer) => string {
  const base = basename(normalize(sourcePath));
  const hasRoot = !namesContent(sourcePath) && base !== "" && base !== "/";
  return (path) => {
    const parts = rootedTarPath(path)
      .split("/")
      .filter((part) => part !== "");
    if (name === undefined) return parts.join("/");
    const rest = hasRoot ? parts.slice(1) : parts;
    return [Buffer.from(name).toString("latin1"), ...rest].join("/");
  };
}

function placeOf(folder: string, name: string): Buffer {
  return Buffer.concat([Buffer.from(folder.endsWith("/") ? folder : `${folder}/`), tarPathBytes(name)]);
}

/** Every part of the way is a folder; a link is none. */
async function makeParents(folder: string, name: string, known: Set<string>): Promise<void> {
  const parts = name.split("/").slice(0, -1);
  for (let count = 1; count <= parts.length; count++) {
    const way = parts.slice(0, count).join("/");
    if (known.has(way)) continue;
    const place = placeOf(folder, way);
    try {
      await mkdir(place, { mode: 0o755 });
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      if (!(await lstat(place)).isDirectory()) {
        throw cliFaults.COPY_REFUSED(`cannot write "${name}": "${way}" is not a directory`);
      }
    }
    known.add(way);
  }
}

async function clearPlace(place: Buffer, entry: TarEntry, folder: string): Promise<void> {
  const there = await lstat(place).catch(ignore("ENOENT"));
  if (there === undefined) return;
  const isFolder = entry.type === "directory";
  if (there.isDirectory() && isFolder) return;
  if (there.isDirectory()) {
    throw cliFaults.COPY_REFUSED(
      `cannot overwrite directory "${place.toString()}" with non-directory "${folder}"`,
    );
  }
  if (isFolder) {
    throw cliFaults.COPY_REFUSED(
      `cannot overwrite non-directory "${place.toString()}" with directory "${folder}"`,
    );
  }
  await rm(place);
}

/** Whether it was made. */
async function makeMember(
  { entry, data }: TarMember,
  place: Buffer,
  { linked }: { readonly linked: () => Promise<Buffer> },
): Promise<boolean> {
  switch (entry.type) {
    case "file": {
      if (entry.sparse)
        throw cliFaults.COPY_REFUSED(`cannot unpack "${place.toString()}": it is a sparse entry`);
      const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
      await using file = await open(place, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
      for await (const chunk of data) await file.writeFile(chunk);
      return true;
    }
    case "symlink":
      await symlink(entry.linkPath, place);
      return true;
    case "hardlink":
      await link(await linked(), place);
      return true;
    default:
      return false;
  }
}

/** Owner, mode and time, in the order in which they do not undo each other. */
async function dress(place: Buffer, entry: TarEntry, keepOwner: boolean): Promise<void> {
  if (keepOwner) await lchown(place, entry.uid, entry.gid);
  if (entry.type === "symlink") return;
  await chmod(place, entry.mode);
  const seconds = Number(entry.mtimeNs) / 1e9;
  await utimes(place, seconds, seconds);
}

function ignore(wanted: string): (error: unknown) => undefined {
  return (error) => {
    if (errnoOf(error) !== wanted) throw error;
    return undefined;
  };
}
