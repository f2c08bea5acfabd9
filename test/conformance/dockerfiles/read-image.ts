import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { posix } from "node:path";
import { buffer } from "node:stream/consumers";
import { readTar } from "@hawser/base";

/** An image without its base: all that does not tell when it was made. */
export interface ImageRecord {
  /** As in the archive; the history's and its own time, and the layers' digests are left out. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Of each layer above the base its entries, by path: `f 644 0:0 3 <sha256> etc/x`. */
  readonly layers: readonly (readonly string[])[];
}

/**
 * The only image of an archive that `docker save` has written.
 *
 * @param isBase whether a layer is one of the base images', which are not recorded
 */
export async function readImage(archive: string, isBase: (diffId: string) => boolean): Promise<ImageRecord> {
  const blobs = new Map<string, Buffer>();
  for await (const { entry, data } of readTar(createReadStream(archive)))
    if (entry.type === "file") blobs.set(entry.path.toString(), await buffer(data));
  const blob = (path: string): Buffer => {
    const found = blobs.get(path);
    if (found === undefined) throw new Error(`the archive has no ${path}`);
    return found;
  };
  const [manifest] = JSON.parse(blob("manifest.json").toString()) as { Config: string; Layers: string[] }[];
  if (manifest === undefined) throw new Error("the archive has no image");
  const {
    created: _,
    rootfs,
    history,
    ...config
  } = JSON.parse(blob(manifest.Config).toString()) as {
    readonly created: string;
    readonly rootfs: { readonly diff_ids: readonly string[] };
    readonly history: readonly Readonly<Record<string, unknown>>[];
  };
  const layers: string[][] = [];
  for (const [at, path] of manifest.Layers.entries()) {
    if (!isBase(rootfs.diff_ids[at] ?? "")) layers.push(await readLayer(blob(path)));
  }
  return {
    config: { ...config, history: history.map((entry) => ({ ...entry, created: undefined })) },
    layers,
  };
}

/** Hard links have no order: each name is a file, with the first of its names behind it. */
async function readLayer(layer: Buffer): Promise<string[]> {
  const entries = new Map<string, { readonly words: string; readonly of: string }>();
  for await (const { entry, data } of readTar(bytes(layer))) {
    const path = posix.normalize(entry.path.toString()).replace(/\/$/, "");
    if (entry.type === "hardlink") {
      const target = posix.normalize(entry.linkPath.toString());
      const found = entries.get(target);
      if (found === undefined) throw new Error(`${path} is a link to ${target}, which is not there`);
      entries.set(path, found);
      continue;
    }
    const content = entry.type === "file" ? await buffer(data) : Buffer.alloc(0);
    const attributes = [...entry.xattrs].map(([name, value]) => `${name}=${value.toString("hex")}`);
    const words = [
      letters[entry.type],
      entry.mode.toString(8),
      `${entry.uid}:${entry.gid}`,
      ...(entry.type === "file"
        ? [entry.sizeBytes, createHash("sha256").update(content).digest("hex").slice(0, 16)]
        : []),
      ...(entry.type === "symlink" ? [`-> ${entry.linkPath.toString()}`] : []),
      ...(entry.type.endsWith("-device") ? [`${entry.deviceMajor},${entry.deviceMinor}`] : []),
      ...attributes.toSorted(),
    ];
    entries.set(path, { words: words.join(" "), of: path });
  }
  const first = new Map<string, string>();
  const count = new Map<string, number>();
  for (const path of [...entries.keys()].toSorted()) {
    const of = entries.get(path)?.of ?? "";
    if (!first.has(of)) first.set(of, path);
    count.set(of, (count.get(of) ?? 0) + 1);
  }
  return [...entries]
    .map(
      ([path, { words, of }]) => `${path}: ${words}${(count.get(of) ?? 0) > 1 ? ` = ${first.get(of)}` : ""}`,
    )
    .toSorted();
}

const letters = {
  file: "f",
  directory: "d",
  symlink: "l",
  hardlink: "h",
  "character-device": "c",
  "block-device": "b",
  fifo: "p",
} as const;

async function* bytes(data: Buffer): AsyncGenerator<Buffer> {
  yield data;
}
