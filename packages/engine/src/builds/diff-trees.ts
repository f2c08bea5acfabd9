import { createHash } from "node:crypto";
import { readTar, rootedTarPath, type TarSource, tarPathBytes, tarSourceOf, writeTar } from "@hawser/base";
import { type FilesRoot, readFiles } from "@hawser/store";

/** One name of a file system. */
interface Entry {
  readonly isFolder: boolean;
  /** Of all that makes a difference: what it is, and what is in it. */
  readonly digest: string;
  /** The first name of the same file. */
  readonly first?: string;
}

/**
 * What makes `upper` of `lower`, as a layer's archive: what is new or other, with the folders on the way, and a whiteout for what
 * is gone. Files are compared by content and by all that a layer keeps of them; of a folder the time says nothing.
 */
export async function* diffTrees(
  lower: FilesRoot,
  upper: FilesRoot,
  options: { readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array, void, undefined> {
  const [before, after] = [await listTree(lower, options), await listTree(upper, options)];
  const changed = new Set<string>();
  const add = (path: string) => {
    for (let at = path; at !== "" && !changed.has(at); at = parentOf(at)) changed.add(at);
  };
  for (const [path, { digest }] of after) if (before.get(path)?.digest !== digest) add(path);
  const gone: string[] = [];
  for (const path of before.keys()) {
    if (after.has(path)) continue;
    const parent = parentOf(path);
    // What was in a folder that is none any more went with it.
    if (parent !== "" && after.get(parent)?.isFolder !== true) continue;
    add(parent);
    gone.push(path);
  }
  yield* writeTar(entries());

  async function* entries(): AsyncGenerator<TarSource, void, undefined> {
    const whiteouts = Map.groupBy(gone, parentOf);
    const hide = function* (folder: string): Generator<TarSource, void, undefined> {
      for (const path of whiteouts.get(folder) ?? []) {
        const name = path.slice(folder === "" ? 0 : folder.length + 1);
        const place = folder === "" ? "" : `${folder}/`;
        yield { path: tarPathBytes(`${place}.wh.${name}`), type: "file", mode: 0 };
      }
    };
    yield* hide("");
    const wanted = [...after.keys()].filter((path) => changed.has(path));
    const names = new Map<string, string>();
    const links = new Map<string, string>();
    for (const path of wanted) {
      const first = after.get(path)?.first ?? path;
      const at = names.get(first);
      if (at === undefined) names.set(first, path);
      else links.set(path, at);
    }
    for await (const { entry, data } of readTar(readFiles(upper, { kind: "pick", paths: wanted }, options))) {
      const path = rootedTarPath(entry.path);
      const link = links.get(path);
      if (link === undefined) yield tarSourceOf({ entry, data });
      else yield tarSourceOf({ entry: { ...entry, type: "hardlink", linkPath: tarPathBytes(link) }, data });
      if (entry.type === "directory") yield* hide(path);
    }
  }
}

/** All names, folders before what is in them. */
async function listTree(
  root: FilesRoot,
  options: { readonly signal: AbortSignal },
): Promise<ReadonlyMap<string, Entry>> {
  const found = new Map<string, Entry>();
  for await (const { entry, data } of readTar(readFiles(root, { kind: "export" }, options))) {
    const path = rootedTarPath(entry.path);
    if (path === "") continue;
    const first = entry.type === "hardlink" ? rootedTarPath(entry.linkPath) : undefined;
    const same = first === undefined ? undefined : found.get(first);
    if (same !== undefined) {
      found.set(path, { ...same, ...(first !== undefined && { first }) });
      continue;
    }
    const isFolder = entry.type === "directory";
    const hash = createHash("sha256");
    const { type, mode, uid, gid, mtimeNs, linkPath, deviceMajor, deviceMinor, xattrs } = entry;
    const attributes = [...xattrs].map(([name, value]) => [name, Buffer.from(value).toString("hex")]);
    const time = isFolder ? "" : String(mtimeNs);
    const link = linkPath.toString("latin1");
    hash.update(JSON.stringify([type, mode, uid, gid, time, link, deviceMajor, deviceMinor, attributes]));
    for await (const bytes of data) hash.update(bytes);
    found.set(path, { isFolder, digest: hash.digest("hex") });
  }
  return found;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
