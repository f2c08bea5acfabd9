import { createHash } from "node:crypto";
import {
  type Digest,
  DocumentReader,
  formatReference,
  maxConfigBytes,
  maxManifestBytes,
  parseDigest,
  parseForeignJson,
  parseReference,
  type Reference,
  repositoryOf,
} from "@hawser/oci";
import type { StagedBlob } from "../content/content-store.ts";
import { storeFaults } from "../faults.ts";
import { compressionOf, decompress } from "../layers/decompress.ts";
import type { StoreLimits } from "../limits.ts";
import type { ArchiveFiles } from "./archive-files.ts";
import { type ArchivedImage, checkArchivedImage, checkImageCount, parseTag } from "./archived-image.ts";
import { convertV1Config, parseV1Config, type V1Config } from "./v1-config.ts";

/** Bytes of all configurations of an archive together, those that are made for it as well. Real ones have some kilobytes each. */
const maxConfigsBytes = 4 * maxConfigBytes;

/** Whether `docker save` before Docker 1.10 made the archive. */
export function isV1Archive(files: ArchiveFiles): boolean {
  return files.find("repositories") !== undefined;
}

/**
 * The images of what `docker save` made before Docker 1.10: a folder for each, with one layer. Docker Image Specification v1.0,
 * "Combined Image JSON + Filesystem Changeset Format".
 *
 *     repositories      {"<repository>": {"<tag>": "<id>"}}
 *     <id>/VERSION      not read
 *     <id>/json         configuration; `parent` is the id of the image below
 *     <id>/layer.tar
 *
 * Those come that have a name or that no other is made of: as everywhere, a step between has no image. An id may be any name.
 *
 * @throws {Fault} `invalid-argument`, `data-loss`
 */
export async function readV1Archive(
  files: ArchiveFiles,
  { limits, signal }: { readonly limits: StoreLimits; readonly signal?: AbortSignal },
): Promise<readonly ArchivedImage[]> {
  const room = new Room(maxConfigsBytes);
  const configs = await readConfigs(files, room);
  const references = await readRepositories(files, configs);
  const parents = new Set([...configs.values()].map(({ parent }) => parent));
  const wanted = [...configs.keys()].filter((id) => references.has(id) || !parents.has(id));
  checkImageCount(wanted.length, limits);
  const diffIds = new Map<Digest, Digest>();
  const images: ArchivedImage[] = [];
  for (const id of wanted) {
    const chain = chainOf(id, configs, limits);
    const layerBlobs = chain.map((config) => files.get(`${config.id}/layer.tar`));
    for (const blob of layerBlobs) {
      if (!diffIds.has(blob.digest)) diffIds.set(blob.digest, await plainDigest(blob, limits, signal));
    }
    const config = convertV1Config(chain, {
      diffIds: layerBlobs.map((blob) => diffIds.get(blob.digest) ?? blob.digest),
    });
    room.take(config.length);
    const configBlob = await files.stage(config);
    const names = (references.get(id) ?? []).map((reference) => ({ reference }));
    const parts = { configBlob, layerBlobs, names, isV1: true };
    images.push(await checkArchivedImage(parts, limits));
  }
  return images;
}

/** By id, those below as well. */
async function readConfigs(files: ArchiveFiles, room: Room): Promise<ReadonlyMap<string, V1Config>> {
  const configs = new Map<string, V1Config>();
  for (const folder of files.folders()) {
    const walked = new Set<string>();
    let id: string | undefined = folder;
    while (id !== undefined && !configs.has(id)) {
      walked.add(id);
      const name = `${id}/json`;
      room.take(files.get(name).sizeBytes);
      const config: V1Config = parseV1Config(id, await files.read(name, maxConfigBytes));
      configs.set(id, config);
      id = config.parent;
    }
    if (id !== undefined && walked.has(id))
      throw storeFaults.ARCHIVE_INVALID(`the image "${id.slice(0, 300)}" is made of itself`);
  }
  return configs;
}

/** What `repositories` says of each id. */
async function readRepositories(
  files: ArchiveFiles,
  configs: ReadonlyMap<string, unknown>,
): Promise<ReadonlyMap<string, readonly Reference[]>> {
  const what = "repositories";
  const list = parseForeignJson(await files.read(what, maxManifestBytes), {
    what,
    maxBytes: maxManifestBytes,
  });
  const reader = new DocumentReader(list, what);
  const references = new Map<string, Reference[]>();
  for (const repository of reader.names()) {
    for (const [tag, id] of Object.entries(reader.stringMap(repository) ?? {})) {
      if (!configs.has(id)) throw storeFaults.ARCHIVE_INVALID(`invalid target ID: ${id.slice(0, 300)}`);
      const reference = parseTag(`${formatReference(repositoryOf(parseReference(repository)))}:${tag}`);
      if (reference.tag !== tag) throw storeFaults.ARCHIVE_INVALID("invalid tag format");
      references.set(id, [...(references.get(id) ?? []), reference]);
    }
  }
  return references;
}

/** An image and those below it, lowest first. */
function chainOf(
  id: string,
  configs: ReadonlyMap<string, V1Config>,
  { maxLayers }: StoreLimits,
): readonly V1Config[] {
  const chain: V1Config[] = [];
  let at = configs.get(id);
  while (at !== undefined) {
    if (chain.length === maxLayers)
      throw storeFaults.ARCHIVE_INVALID(`an image has more than ${maxLayers} layers`);
    chain.push(at);
    at = at.parent === undefined ? undefined : configs.get(at.parent);
  }
  return chain.toReversed();
}

/** What an archive, plain or compressed, hashes to when it is plain. */
async function plainDigest(
  blob: StagedBlob,
  limits: StoreLimits,
  signal: AbortSignal | undefined,
): Promise<Digest> {
  await using file = await blob.open();
  const { buffer: head } = await file.read(Buffer.alloc(6), 0, 6, 0);
  if (compressionOf(head) === "none") return blob.digest;
  const hash = createHash("sha256");
  const bytes = file.createReadStream({ start: 0, autoClose: false });
  for await (const chunk of decompress(bytes, limits)) {
    signal?.throwIfAborted();
    hash.update(chunk);
  }
  return parseDigest(`sha256:${hash.digest("hex")}`);
}

/** What is left of a number of bytes. */
class Room {
  #bytes: number;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** @throws {Fault} `invalid-argument` when there is no room */
  take(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#bytes < 0) throw storeFaults.BLOB_TOO_LARGE("the configurations", maxConfigsBytes);
  }
}
