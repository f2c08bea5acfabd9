import { createHash, type Hash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { gzipSync } from "node:zlib";
import { writeTar } from "@hawser/base";
import { mediaTypes, parseDigest, parseReference } from "@hawser/oci";
import { RegistryClient } from "@hawser/registry/client";
import { runCommandOk } from "../test/e2e/kit-process.ts";

/** Layers of this machine's own files, to be given to registries as images that nobody has seen. */
export interface LargeImage {
  readonly plainBytes: number;
  readonly compressedBytes: number;
  readonly files: number;
  /** Give an image to a registry, `host:port/path:tag`. `fresh`: how many of its layers, the last ones, were never there before. */
  publish(name: string, options: { readonly fresh: number }): Promise<void>;
}

interface Part {
  readonly path: string;
  readonly gzipPath: string;
}

interface Layer {
  readonly digest: string;
  readonly diffId: string;
  readonly size: number;
  readonly path: string;
}

/** Shares of the layers: the last one is what changes when a twentieth does. */
const shares = [0.2, 0.15, 0.15, 0.15, 0.1, 0.1, 0.1, 0.05];

/** Make the layers below `folder`, together of about `bytes` when they are unpacked. */
export async function makeLargeImage(folder: string, bytes: number): Promise<LargeImage> {
  await mkdir(folder);
  const lists = await chooseFiles("/usr", bytes);
  const parts: Part[] = [];
  for (const [at, list] of lists.entries()) {
    const path = join(folder, `part-${at}.tar`);
    await writeFile(`${path}.list`, `${list.join("\0")}\0`);
    await runCommandOk(["tar", "-C", "/", "--null", "--no-recursion", "-T", `${path}.list`, "-cf", path], {
      timeoutMs: 300_000,
    });
    await runCommandOk(["gzip", "-6", "-k", path], { timeoutMs: 600_000 });
    parts.push({ path, gzipPath: `${path}.gz` });
  }
  const sizes = async (paths: readonly string[]) =>
    (await Promise.all(paths.map(async (path) => (await stat(path)).size))).reduce(
      (sum, size) => sum + size,
      0,
    );
  let last: readonly Layer[] = [];
  return {
    plainBytes: await sizes(parts.map(({ path }) => path)),
    compressedBytes: await sizes(parts.map(({ gzipPath }) => gzipPath)),
    files: lists.flat().length,
    async publish(name, { fresh }) {
      const kept = last.slice(0, parts.length - fresh);
      const layers = [...kept];
      for (const part of parts.slice(kept.length)) layers.push(await vary(part, folder));
      await push(name, layers);
      for (const { path } of last.filter((layer) => !layers.includes(layer))) await rm(path);
      last = layers;
    },
  };
}

/** Files of about `bytes`, or all that are there, by layer: the first that reaches the end of its share is its last one. */
async function chooseFiles(root: string, bytes: number): Promise<readonly (readonly string[])[]> {
  const files: { readonly path: string; readonly bytes: number }[] = [];
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.push({ path: path.slice(1), bytes: (await stat(path)).size });
  }
  const total = Math.min(
    bytes,
    files.reduce((sum, file) => sum + file.bytes, 0),
  );
  const lists: string[][] = [[]];
  let [chosen, end] = [0, (shares[0] ?? 0) * total];
  for (const file of files) {
    if (chosen >= end) {
      const share = shares[lists.length];
      if (share === undefined) break;
      lists.push([]);
      end += share * total;
    }
    lists.at(-1)?.push(file.path);
    chosen += file.bytes;
  }
  return lists;
}

/** The same layer with one more file, which makes it another: a gzip file may have several parts. */
async function vary({ path, gzipPath }: Part, folder: string): Promise<Layer> {
  const mark = randomBytes(20).toString("hex");
  const whole = Buffer.concat(
    await Array.fromAsync(writeTar([{ path: `mark-${mark}`, type: "file", content: Buffer.from(mark) }])),
  );
  const head = whole.subarray(0, whole.length - 1024); // without the archive's end
  const out = join(folder, `${mark}.gz`);
  await writeFile(out, gzipSync(head));
  await pipeline(createReadStream(gzipPath), createWriteStream(out, { flags: "a" }));
  const digest = await hashFile(out, createHash("sha256"));
  const diffId = await hashFile(path, createHash("sha256").update(head));
  return { digest, diffId, size: (await stat(out)).size, path: out };
}

async function hashFile(path: string, hash: Hash): Promise<string> {
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return `sha256:${hash.digest("hex")}`;
}

async function push(name: string, layers: readonly Layer[]): Promise<void> {
  const settings = { mirrors: [], insecure: [], hostFolders: [] };
  using client = new RegistryClient({ settings, environment: {}, userAgent: "bench" });
  const reference = parseReference(name);
  const repository = await client.repository(reference);
  for (const { digest, size, path } of layers) {
    await repository.uploadBlob({
      digest: parseDigest(digest),
      sizeBytes: size,
      async *open(start, end) {
        await using file = await open(path);
        yield* file.createReadStream({ start, end: end - 1, autoClose: false });
      },
    });
  }
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      os: "linux",
      config: { Cmd: ["sh"] },
      rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    }),
  );
  const digestOf = (bytes: Buffer) =>
    parseDigest(`sha256:${createHash("sha256").update(bytes).digest("hex")}`);
  const configDigest = digestOf(config);
  await repository.uploadBlob({
    digest: configDigest,
    sizeBytes: config.length,
    async *open() {
      yield config;
    },
  });
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: { mediaType: mediaTypes.dockerConfig, digest: configDigest, size: config.length },
      layers: layers.map(({ digest, size }) => ({ mediaType: mediaTypes.dockerLayerGzip, digest, size })),
    }),
  );
  const manifest = { digest: digestOf(bytes), mediaType: mediaTypes.dockerManifest, bytes };
  await repository.putManifest(reference.tag ?? "latest", manifest);
}
