import { lstatSync, readlinkSync } from "node:fs";
import { errnoOf, tarPathBytes } from "@hawser/base";
import { storeFaults } from "../faults.ts";
import { fsPath } from "./fs-path.ts";

/** As the kernel has it. */
export const maxLinks = 40;

/**
 * A path with all its links followed, as `rootedTarPath` has paths (latin1, counted from `/`). What is not there, and all
 * below it, is kept as it is. Only for a confined thread: its root is what `..` and absolute links stop at.
 *
 * @throws {Fault} `invalid-argument` for links without end
 */
export function resolvePath(path: string): string {
  const todo = path.split("/").toReversed();
  const done: string[] = [];
  for (let links = 0; ; ) {
    const part = todo.pop();
    if (part === undefined) return done.join("/");
    if (part === "" || part === ".") continue;
    if (part === "..") {
      done.pop();
      continue;
    }
    const here = [...done, part].join("/");
    const target = readLink(here);
    if (target === undefined) {
      done.push(part);
      continue;
    }
    links += 1;
    if (links > maxLinks)
      throw storeFaults.FILES_REFUSED(`too many links in ${tarPathBytes(path).toString()}`);
    if (target.startsWith("/")) done.length = 0;
    todo.push(...target.split("/").toReversed());
  }
}

/** Where a link leads, one byte a character; `undefined`: it is none. */
export function readLink(path: string): string | undefined {
  try {
    if (!lstatSync(fsPath(path)).isSymbolicLink()) return undefined;
    return readlinkSync(fsPath(path), "buffer").toString("latin1");
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EINVAL"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}

/** A user's path with its last part unresolved, as Docker reads it. */
export interface ResolvedPath {
  /** As asked for, absolute and clean: what the name is taken from. */
  readonly asked: string;
  /** With links followed but for the last part, as `rootedTarPath` has it; the last part too where the path ends in `/` or `/.`. */
  readonly path: string;
  /** The path ended in a slash or in `/.`, so a folder was meant. */
  readonly wantsFolder: boolean;
  /** The last part of `asked`; `.` where the content was asked for, `/` for the root. */
  readonly name: string;
}

/** Split and resolve a path of the API; bytes are one character each. */
export function resolveUserPath(text: string): ResolvedPath {
  const wantsContent = /(?:^|\/)\.$/.test(text);
  const wantsFolder = wantsContent || text.endsWith("/");
  const parts: string[] = [];
  for (const part of text.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  const asked = parts.join("/");
  const last = parts.at(-1);
  const name = wantsContent ? "." : (last ?? "/");
  const folder = resolvePath(parts.slice(0, -1).join("/"));
  if (wantsFolder || last === undefined) return { asked, path: resolvePath(asked), wantsFolder, name };
  return { asked, path: folder === "" ? last : `${folder}/${last}`, wantsFolder, name };
}
