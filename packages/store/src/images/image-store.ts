import type { Logger } from "@hawser/base";
import {
  type ChainId,
  chainIdOf,
  chainIdsOf,
  type Digest,
  type ExecutionConfig,
  formatFamiliar,
  formatImageConfig,
  formatReference,
  type ImageConfig,
  type Platform,
  parseReference,
  type Reference,
  withDefaultTag,
} from "@hawser/oci";
import { ArchiveFiles } from "../archive/archive-files.ts";
import type { ArchivedImage } from "../archive/archived-image.ts";
import { readDockerArchive } from "../archive/docker-archive.ts";
import { isOciLayout, readManifests, readOciLayout } from "../archive/oci-layout.ts";
import type { ContentStore, StagedBlob } from "../content/content-store.ts";
import { storeFaults } from "../faults.ts";
import type { HeldLayer, LayerStore } from "../layers/layer-store.ts";
import type { StoreLimits } from "../limits.ts";
import { findImage } from "./find-image.ts";
import type { Image } from "./image.ts";
import type { ImageIndex, ImageRecord } from "./image-index.ts";
import { type RemovedItem, type RemoveImageOptions, removeImage } from "./remove-image.ts";

export type LoadEvent =
  /** Once per name, or once without when the image has none. */
  | { readonly kind: "loaded"; readonly id: Digest; readonly reference?: string }
  /** The name belonged to another image, which keeps its other names, if any. */
  | { readonly kind: "renamed"; readonly reference: string; readonly previousId: Digest };

/** How far the archive of a layer has been read. */
export interface LayerProgress {
  readonly diffId: Digest;
  readonly currentBytes: number;
  readonly totalBytes: number;
}

export interface LoadOptions {
  /** Which image to take from several for different machines. Default: this machine's. */
  readonly platform?: Platform;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LayerProgress) => void;
}

export interface ImportOptions {
  /** A name for the image; `latest` unless it has a tag. */
  readonly reference?: string;
  readonly changes?: Partial<ExecutionConfig>;
  readonly message?: string;
  /** Default: this machine's. */
  readonly platform?: Platform;
  readonly signal?: AbortSignal;
}

/**
 * Images and their names. An image is there when it is whole: its configuration, manifest and layers were checked
 * against their digests and are on the disk.
 */
export class ImageStore {
  readonly #index: ImageIndex;
  readonly #content: ContentStore;
  readonly #layers: LayerStore;
  readonly #limits: StoreLimits;
  readonly #platform: Platform;
  readonly #snapshotParents: () => readonly ChainId[];
  readonly #inBackground: (work: Promise<unknown>) => void;
  readonly #log: Logger;
  readonly #now: () => Date;
  /** Blobs that work in progress is about to refer to. */
  readonly #leases = new Set<ReadonlySet<Digest>>();

  constructor(parts: {
    readonly index: ImageIndex;
    readonly content: ContentStore;
    readonly layers: LayerStore;
    readonly limits: StoreLimits;
    readonly platform: Platform;
    readonly snapshotParents: () => readonly ChainId[];
    readonly inBackground: (work: Promise<unknown>) => void;
    readonly log: Logger;
    readonly now: () => Date;
  }) {
    this.#index = parts.index;
    this.#content = parts.content;
    this.#layers = parts.layers;
    this.#limits = parts.limits;
    this.#platform = parts.platform;
    this.#snapshotParents = parts.snapshotParents;
    this.#inBackground = parts.inBackground;
    this.#log = parts.log;
    this.#now = parts.now;
  }

  /**
   * The image of a name (familiar or full, with tag, digest or neither) or an id (whole, or enough of its beginning).
   *
   * @throws {Fault} `not-found`, `invalid-argument`; Docker's words
   */
  resolve(nameOrId: string): Image {
    return this.#get(findImage(this.#index, nameOrId));
  }

  list(): readonly Image[] {
    return this.#index.list().map(({ id }) => this.#get(id));
  }

  /**
   * Give the image `source` the further name `target`, taking it from another image that has it.
   *
   * @throws {Fault} `not-found`, `invalid-argument`; Docker's words
   */
  tag(source: string, target: string): Image {
    const id = findImage(this.#index, source);
    this.#index.setName(parseTarget(target), id);
    return this.#get(id);
  }

  /**
   * As Docker's `rmi`: by name, the name goes, and the image with its last; by id, the image with all its names.
   * What went, in order.
   *
   * @throws {Fault} `not-found`, `conflict`; Docker's words
   */
  async remove(nameOrId: string, options: RemoveImageOptions): Promise<readonly RemovedItem[]> {
    const before = this.#index.get(findImage(this.#index, nameOrId));
    const { removed, image } = removeImage(this.#index, nameOrId, options);
    if (image === undefined || before === undefined) return removed;
    const layers = await this.collect(before.blobs);
    return [...removed, ...layers.map((chainId) => ({ deleted: chainId }))];
  }

  /**
   * Take in the images of an archive: what `docker save` makes, or an OCI layout, either plain or compressed. Each image
   * is there, durably, when its event comes; a fault ends the archive, and what it left behind is removed.
   *
   * @throws {Fault} `invalid-argument`, `data-loss` for the archive's sake, `resource-exhausted` for the disk's;
   * the reason of `signal`
   */
  async *load(
    stream: AsyncIterable<Uint8Array>,
    options: LoadOptions = {},
  ): AsyncGenerator<LoadEvent, void, undefined> {
    const { signal } = options;
    await using files = await ArchiveFiles.read(stream, {
      content: this.#content,
      limits: this.#limits,
      log: this.#log,
      ...(signal && { signal }),
    });
    for (const image of await this.#readArchive(files, options.platform ?? this.#platform)) {
      yield* await this.#add(image, options);
    }
  }

  /**
   * Make an image of one layer from a tar archive of a root file system, plain or compressed.
   *
   * @throws {Fault} as `load`
   */
  async import(stream: AsyncIterable<Uint8Array>, options: ImportOptions = {}): Promise<Image> {
    const { reference, message = "", changes = {}, signal } = options;
    const target = reference === undefined || reference === "" ? undefined : parseTarget(reference);
    await using blob = await this.#content.stage(stream, signal && { signal });
    return await this.#leased([blob], async (lease) => {
      using held = await this.#layers.unpack({
        parent: undefined,
        diffId: undefined,
        blob,
        ...(signal && { signal }),
      });
      const created = this.#now();
      const config: ImageConfig = {
        ...(options.platform ?? this.#platform),
        created,
        execution: { ...emptyExecution, ...changes },
        diffIds: [held.layer.diffId],
        history: [{ created, createdBy: "", author: "", comment: message, emptyLayer: false }],
      };
      await using configBlob = await this.#content.stage(chunks(formatImageConfig(config)));
      lease.add(configBlob.digest);
      await configBlob.commit();
      this.#put({ config, configBlob, layers: [held] }, target === undefined ? [] : [target]);
      return this.#get(configBlob.digest);
    });
  }

  /** Remove layers that nothing refers to any more, and of `blobs` those. Returns the layers, topmost first. */
  async collect(blobs: Iterable<Digest>): Promise<readonly ChainId[]> {
    const referenced = this.#index.list().flatMap(({ chainIds }) => chainIds.at(-1) ?? []);
    const layerBlobs = this.#layers.blobs();
    const removed = await this.#layers.collect([...referenced, ...this.#snapshotParents()]);
    const isNeeded = (digest: Digest) =>
      this.#index.blobs().has(digest) ||
      this.#layers.blobs().has(digest) ||
      [...this.#leases].some((lease) => lease.has(digest));
    for (const digest of new Set([...blobs, ...layerBlobs])) {
      if (!isNeeded(digest)) await this.#content.remove(digest, () => isNeeded(digest));
    }
    return removed;
  }

  async #readArchive(files: ArchiveFiles, platform: Platform): Promise<readonly ArchivedImage[]> {
    const limits = this.#limits;
    const isLayout = isOciLayout(files);
    if (files.find("manifest.json") !== undefined) {
      const manifests = isLayout ? await readManifests(files, platform) : new Map<Digest, StagedBlob>();
      return await readDockerArchive(files, { limits, manifests });
    }
    if (isLayout) return await readOciLayout(files, { limits, platform });
    throw storeFaults.ARCHIVE_INVALID(
      "it has neither manifest.json nor index.json, so it is not an image archive",
    );
  }

  async #add(image: ArchivedImage, options: LoadOptions): Promise<readonly LoadEvent[]> {
    const { configBlob, manifestBlob, layerBlobs, references } = image;
    const kept = [configBlob, ...(manifestBlob === undefined ? [] : [manifestBlob, ...layerBlobs])];
    return await this.#leased([...kept, ...layerBlobs], async () => {
      await using layers = await this.#unpackAll(image, options);
      for (const blob of kept) await blob.commit();
      const events: LoadEvent[] = [];
      for (const reference of references) {
        const previous = this.#index.findName(reference)?.image;
        const text = formatFamiliar(reference);
        if (previous !== undefined && previous !== configBlob.digest) {
          events.push({ kind: "renamed", reference: text, previousId: previous });
        }
        events.push({ kind: "loaded", reference: text, id: configBlob.digest });
      }
      this.#put({ ...image, layers: layers.held, kept }, references);
      this.#inBackground(this.#layers.sync());
      return events.length > 0 ? events : [{ kind: "loaded", id: configBlob.digest }];
    });
  }

  /** All layers at once; each is published after the one below it. */
  async #unpackAll(
    { config, layerBlobs }: ArchivedImage,
    { signal, onProgress }: LoadOptions,
  ): Promise<AsyncDisposable & { readonly held: readonly HeldLayer[] }> {
    const failed = new AbortController();
    const both = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
    const work: Promise<HeldLayer>[] = [];
    let parent: ChainId | undefined;
    for (const [index, diffId] of config.diffIds.entries()) {
      const blob = layerBlobs[index];
      if (blob === undefined) throw new Error("an archived image has a blob for each of its layers");
      const after = work.at(-1);
      const unpacking = this.#layers.unpack({
        parent,
        diffId,
        blob,
        signal: both,
        ...(after && { after }),
        ...(onProgress && {
          onProgress: (readBytes: number) =>
            onProgress({ diffId, currentBytes: readBytes, totalBytes: blob.sizeBytes }),
        }),
      });
      unpacking.catch((error: unknown) => failed.abort(error));
      work.push(unpacking);
      parent = chainIdOf(diffId, parent);
    }
    const results = await Promise.allSettled(work);
    const held = results.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
    const release = async () => {
      for (const layer of held) layer[Symbol.dispose]();
    };
    if (held.length < work.length) {
      await release();
      signal?.throwIfAborted();
      throw failed.signal.reason;
    }
    return { held, [Symbol.asyncDispose]: release };
  }

  #put(
    image: {
      readonly config: ImageConfig;
      readonly configBlob: StagedBlob;
      readonly manifestBlob?: StagedBlob;
      readonly layers: readonly HeldLayer[];
      readonly kept?: readonly StagedBlob[];
    },
    references: readonly Reference[],
  ): void {
    const { config, configBlob, manifestBlob, kept = [configBlob] } = image;
    const record: ImageRecord = {
      id: configBlob.digest,
      ...(manifestBlob && { manifestDigest: manifestBlob.digest }),
      config,
      chainIds: chainIdsOf(config.diffIds),
      blobs: kept.map((blob) => blob.digest),
    };
    this.#index.put(record, references);
  }

  /** Do `work` while the blobs are safe from `collect`; after a failure, collect them. */
  async #leased<T>(blobs: readonly StagedBlob[], work: (lease: Set<Digest>) => Promise<T>): Promise<T> {
    const lease = new Set(blobs.map((blob) => blob.digest));
    this.#leases.add(lease);
    try {
      return await work(lease);
    } catch (error) {
      this.#leases.delete(lease);
      await this.collect(lease);
      throw error;
    } finally {
      this.#leases.delete(lease);
    }
  }

  #get(id: Digest): Image {
    const record = this.#index.get(id);
    if (record === undefined) throw storeFaults.IMAGE_NOT_FOUND(id);
    const { manifestDigest, config, chainIds } = record;
    const names = this.#index.namesOf(id);
    const layers = chainIds.map((chainId) => this.#layers.get(chainId));
    const chainId = chainIds.at(-1);
    const lastTaggedMs = Math.max(...names.map(({ taggedAt }) => taggedAt.getTime()));
    const texts = (wanted: (reference: Reference) => boolean) =>
      names.filter(({ reference }) => wanted(reference)).map(({ reference }) => formatFamiliar(reference));
    return {
      id,
      ...(manifestDigest !== undefined && { manifestDigest }),
      names: texts(({ digest }) => digest === undefined),
      repoDigests: texts(({ digest }) => digest !== undefined),
      config,
      ...(chainId !== undefined && { chainId }),
      diffIds: config.diffIds,
      layers,
      sizeBytes: layers.reduce((sum, layer) => sum + layer.sizeBytes, 0),
      createdAt: config.created ?? new Date(0),
      ...(names.length > 0 && { lastTaggedAt: new Date(lastTaggedMs) }),
    };
  }
}

const emptyExecution: ExecutionConfig = {
  user: "",
  exposedPorts: [],
  env: [],
  volumes: [],
  workingDir: "",
  labels: {},
  stopSignal: "",
};

function parseTarget(text: string): Reference {
  const reference = withDefaultTag(parseReference(text));
  if (reference.digest !== undefined) throw storeFaults.TAG_WITH_DIGEST();
  if (formatReference(reference).startsWith("docker.io/library/sha256:"))
    throw storeFaults.TAG_IS_ALGORITHM();
  return reference;
}

async function* chunks(...data: readonly Uint8Array[]) {
  yield* data;
}
