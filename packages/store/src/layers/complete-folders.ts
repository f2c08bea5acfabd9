import { chmodSync, chownSync, lstatSync, type Stats } from "node:fs";
import { getXattr, listXattr, setTimesNs, setXattr } from "@hawser/linux";
import { fsPath } from "../files/fs-path.ts";

/**
 * Folders that a layer's archive puts files in without describing them are those of the layers below: give them their
 * owner, mode, attributes and time. Where nothing is below they stay root's, 0755, from 1970.
 *
 * `paths` are below `folder`, one character a byte; `below` are unpacked layers, topmost first. No link is followed.
 *
 * Synchronous: for a worker, which has nothing else to do. There may be thousands, with all layers below to be asked.
 */
export function completeFolders(
  paths: readonly string[],
  options: { readonly folder: string; readonly below: readonly string[] },
): void {
  const made = new KnownFolders(options.folder);
  const below = options.below.map((top) => new KnownFolders(top));
  for (const path of paths) {
    const is = made.find(path);
    if (is === undefined) continue;
    const target = absolute(options.folder, path);
    let timeNs = 0n;
    for (const layer of below) {
      const found = layer.find(path);
      if (found === undefined) continue;
      const source = absolute(layer.top, path);
      const isOwned = found.uid === is.uid && found.gid === is.gid;
      if (!isOwned) chownSync(target, found.uid, found.gid);
      if (!isOwned || found.mode !== is.mode) chmodSync(target, found.mode & 0o7777);
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

/** Folders below `top`, each looked for once. */
class KnownFolders {
  readonly top: string;
  readonly #found = new Map<string, Stats | undefined>();

  constructor(top: string) {
    this.top = top;
  }

  /** The folder `path`, if all of the way there are folders. */
  find(path: string): Stats | undefined {
    if (this.#found.has(path)) return this.#found.get(path);
    const slash = path.lastIndexOf("/");
    const isReachable = slash === -1 || this.find(path.slice(0, slash)) !== undefined;
    const stats = isReachable ? lstatSync(absolute(this.top, path), { throwIfNoEntry: false }) : undefined;
    const folder = stats?.isDirectory() === true ? stats : undefined;
    this.#found.set(path, folder);
    return folder;
  }
}

function absolute(top: string, path: string): string | Buffer {
  const inside = fsPath(path);
  return typeof inside === "string" ? top + inside : Buffer.concat([Buffer.from(top), inside]);
}
