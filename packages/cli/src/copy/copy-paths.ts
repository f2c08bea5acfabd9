import { lstat, readlink, realpath, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, normalize, resolve } from "node:path";
import { errnoOf } from "@hawser/base";
import { cliFaults } from "../faults.ts";

/** One end of a copy: a place in a container, or, without `container`, one here. */
export interface CopyEnd {
  readonly container?: string;
  readonly path: string;
}

/** `container:path`, or a path here: what begins with `/` or `.`, and what has no colon. */
export function parseCopyEnd(text: string): CopyEnd {
  const at = text.indexOf(":");
  if (isAbsolute(text) || at < 0 || text.startsWith(".")) return { path: text };
  return { container: text.slice(0, at), path: text.slice(at + 1) };
}

/** A thing to copy. `path/.` means the content of a folder instead of the folder. */
export interface CopySource {
  readonly path: string;
  readonly isDirectory: boolean;
  /** What it is called, when that is not the last part of `path`: the link that led there. */
  readonly name?: string;
}

/** Where a copy goes. */
export interface CopyTarget {
  readonly path: string;
  /** Absent: nothing is there. */
  readonly kind?: "directory" | "other";
}

/** A folder, and under which name the thing appears in it; without a name it keeps its own. */
export interface CopyPlace {
  readonly folder: string;
  readonly name?: string;
}

/**
 * Docker's rules for where a copy arrives: in a folder that exists, under its own name; else under the target's last part.
 *
 * @throws {Fault} `invalid-argument` for a folder onto a file, and for a file into a folder that is not there
 */
export function placeCopy(source: CopySource, target: CopyTarget): CopyPlace {
  if (target.kind === "directory") {
    return { folder: target.path, ...(source.name !== undefined && { name: source.name }) };
  }
  if (target.kind === "other" && source.isDirectory) throw cliFaults.COPY_REFUSED("cannot copy directory");
  if (target.kind === undefined && !source.isDirectory && namesFolder(target.path)) {
    throw cliFaults.COPY_REFUSED("no such directory");
  }
  const clean = normalize(target.path);
  return { folder: dirname(clean), name: basename(clean) };
}

/** Whether only a folder can be meant. */
function namesFolder(path: string): boolean {
  return path.endsWith("/") || namesContent(path);
}

/** Whether the content of a folder is meant: `/.` at the end, or `.` alone. */
export function namesContent(path: string): boolean {
  return path === "." || path.endsWith("/.");
}

/** As an absolute path that still ends as it was typed. */
export function absolutePath(path: string, workingDir: string): string {
  const clean = resolve(workingDir, path);
  if (namesContent(path)) return clean === "/" ? "/." : `${clean}/.`;
  return path.endsWith("/") && clean !== "/" ? `${clean}/` : clean;
}

/** Find a thing to copy here. A link is itself, unless it is to be followed or `/` comes after it. @throws {Fault} `not-found` */
export async function findSource(
  path: string,
  options: { readonly followLink: boolean },
): Promise<CopySource> {
  try {
    const content = namesContent(path);
    const followed = options.followLink || namesFolder(path);
    const place = followed ? await realpath(path) : join(await realpath(dirname(path)), basename(path));
    const isDirectory = (await lstat(place)).isDirectory();
    const name = basename(normalize(path));
    return {
      path: content ? `${place === "/" ? "" : place}/.` : place,
      isDirectory,
      ...(!content && name !== basename(place) && { name }),
    };
  } catch (error) {
    throw missing("lstat", path, error);
  }
}

/** What is here where a copy goes; links are followed, also those that lead to nothing yet. */
export async function findTarget(path: string): Promise<CopyTarget> {
  try {
    return { path, kind: (await stat(path)).isDirectory() ? "directory" : "other" };
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw missing("stat", path, error);
  }
  try {
    const parent = await realpath(dirname(normalize(path)));
    const target = await readlink(join(parent, basename(path))).catch(() => undefined);
    return target === undefined ? { path } : await findTarget(resolve(parent, target));
  } catch (error) {
    throw missing("lstat", dirname(normalize(path)), error);
  }
}

function missing(call: string, path: string, error: unknown) {
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  const why =
    errno === "ENOENT" ? "no such file or directory" : errno === "EACCES" ? "permission denied" : errno;
  return cliFaults.FILE_UNREADABLE(`${call} ${path}: ${why}`).because(error);
}
