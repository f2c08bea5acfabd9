import type { Stats } from "node:fs";
import { chmod, chown, lstat } from "node:fs/promises";
import { errnoOf, tarPathBytes } from "@hawser/base";
import { getXattr, listXattr, setTimesNs, setXattr } from "@hawser/linux";

/**
 * Folders that a layer's archive puts files in without describing them are those of the layers below: give them their
 * owner, mode, attributes and time. Where nothing is below they stay root's, 0755, from 1970.
 *
 * `paths` are below `folder`, one character a byte; `below` are unpacked layers, topmost first. No link is followed.
 */
export async function completeFolders(
  paths: readonly string[],
  options: { readonly folder: string; readonly below: readonly string[] | undefined },
): Promise<void> {
  for (const path of paths) {
    if ((await findFolder(options.folder, path)) === undefined) continue;
    const target = absolute(options.folder, path);
    let timeNs = 0n;
    for (const layer of options.below ?? []) {
      const found = await findFolder(layer, path);
      if (found === undefined) continue;
      const source = absolute(layer, path);
      await chown(target, found.uid, found.gid);
      await chmod(target, found.mode & 0o7777);
      for (const name of listXattr(source)) {
        const value = name.startsWith("trusted.overlay.") ? undefined : getXattr(source, name);
        if (value !== undefined) setXattr(target, name, value);
      }
      timeNs = BigInt(Math.round(found.mtimeMs * 1e6));
      break;
    }
    setTimesNs(target, timeNs, timeNs);
  }
}

/** The folder `path` below `top`, if all of the way there are folders. */
async function findFolder(top: string, path: string): Promise<Stats | undefined> {
  let stats: Stats | undefined;
  for (let slash = path.indexOf("/"); ; slash = path.indexOf("/", slash + 1)) {
    try {
      stats = await lstat(absolute(top, slash === -1 ? path : path.slice(0, slash)));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
    if (!stats.isDirectory()) return undefined;
    if (slash === -1) return stats;
  }
}

function absolute(top: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${top}/`), tarPathBytes(path)]);
}
