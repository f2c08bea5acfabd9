import { KeyedMutex, type Logger } from "@hawser/base";
import {
  type ChainId,
  chainIdsOf,
  type Digest,
  digestOf,
  formatFamiliar,
  formatImageConfig,
  type ImageConfig,
  type Platform,
  parseImageConfig,
  type Reference,
  repositoryOf,
} from "@hawser/oci";
import { ArchiveFiles } from "../archive/archive-files.ts";
import { type ArchivedImage, checkLayerCount } from "../archive/archived-image.ts";
import { readDockerArchive } from "../archive/docker-archive.ts";
import { withoutForeignCompression } from "../archive/foreign-compression.ts";
import { isOciLayout, readManifests, readOciLayout } from "../archive/oci-layout.ts";
import { type ImageToSave, saveImages } from "../archive/save-images.ts";
import { isV1Archive, readV1Archive } from "../archive/v1-archive.ts";
import type { ContentStore, StagedBlob } from "../content/content-store.ts";
import { storeFaults } from "../faults.ts";
import type { HeldLayer, Layer, LayerStore } from "../layers/layer-store.ts";
import type { StoreLimits } from "../limits.ts";
import type { ReachStoreStep } from "../steps.ts";
import { type DistributableImage, makeDistributable, readDistributable } from "./distribute-image.ts";
import { findImage } from "./find-image.ts";
import { type Image, imageOf } from "./image.ts";
import type { ImageIndex, ImageRecord } from "./image-index.ts";
import type {
  CommitOptions,
  ImportOptions,
  LoadEvent,
  LoadOptions,
  ReceiveOptions,
  RemoteImage,
} from "./image-requests.ts";
import { LayerExchange } from "./layer-exchange.ts";
import { archiveOf, folderOf, type LayerOrigin } from "./layer-origin.ts";
import { Leftovers } from "./leftovers.ts";
import { emptyExecution, parseTarget } from "./new-image.ts";
import { receiveLayer } from "./receive-layers.ts";
import { type RemovedItem, type RemoveImageOptions, removeImage } from "./remove-image.ts";
import { selectImages } from "./select-images.ts";
import { type LayerInProgress, unpackAll, unpackArchived } from "./unpack-all.ts";

/**
 * Images and their names. An image is there when it is whole: its configuration, manifest and layers were checked
 * against their digests and are on the disk.
 */
export class ImageStore implements Disposable {
  readonly #index: ImageIndex;
  readonly #content: ContentStore;
  readonly #layers: LayerStore;
  readonly #limits: StoreLimits;
  readonly #platform: Platform;
  readonly #layersInUse: () => readonly ChainId[];
  readonly #inBackground: (work: Promise<unknown>) => void;
  readonly #log: Logger;
  readonly #now: () => Date;
  readonly #reach: ReachStoreStep;
  /** Blobs that work in progress is about to refer to. */
  readonly #leases = new Set<ReadonlySet<Digest>>();
  readonly #distributing = new KeyedMutex();
  /** Layers that come and go without an image. */
  readonly exchange: LayerExchange;
  readonly #leftovers = new Leftovers(({ blobs }) => this.#inBackground(this.collect(blobs)));

  constructor(parts: {
    readonly index: ImageIndex;
    readonly content: ContentStore;
    readonly layers: LayerStore;
    readonly limits: StoreLimits;
    readonly platform: Platform;
    readonly layersInUse: () => readonly ChainId[];
    readonly inBackground: (work: Promise<unknown>) => void;
    readonly log: Logger;
    readonly now: () => Date;
    readonly reach: ReachStoreStep;
  }) {
    this.#reach = parts.reach;
    this.exchange = new LayerExchange({
      ...parts,
      lease: (blobs) => this.#lease(blobs),
      onReceive: () => this.#inBackground(this.#layers.sync()),
    });
    this.#index = parts.index;
    this.#content = parts.content;
    this.#layers = parts.layers;
    this.#limits = parts.limits;
    this.#platform = parts.platform;
    this.#layersInUse = parts.layersInUse;
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

  /** Whether there is an image that came with this manifest. */
  has(id: Digest, manifest: Digest): boolean {
    return this.#index.get(id)?.manifestDigest === manifest;
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
    this.#reach("tag.recorded");
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
    this.#reach("rmi.unnamed");
    const layers = image === undefined || before === undefined ? [] : await this.collect(before.blobs);
    return [...removed, ...layers.map((chainId) => ({ deleted: chainId }))];
  }

  /**
   * Take in the images of an archive: what `docker save` of any age makes, or an OCI layout, either plain or compressed. Each image
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
    this.#reach("load.staged");
    for (const image of await this.#readArchive(files, options)) {
      yield* await this.#add(image, options);
    }
  }

  /** The tags of a repository, in order, and what they mean. */
  tagsOf({ domain, path }: Reference): readonly { readonly reference: Reference; readonly image: Image }[] {
    return this.#index
      .listNames()
      .filter(({ reference }) => reference.domain === domain && reference.path === path)
      .filter(({ reference }) => reference.tag !== undefined)
      .map(({ reference, image }) => ({ reference, image: this.#get(image) }));
  }

  /** Another repository of the same registry that the blob was pulled from or pushed to. */
  findRepository(blob: Digest, { domain, path }: Reference): Reference | undefined {
    const others = this.#index.listNames().filter(({ reference, image }) => {
      const isOther =
        reference.domain === domain && reference.path !== path && reference.digest !== undefined;
      return isOther && this.#index.get(image)?.blobs.includes(blob);
    });
    return others[0] && repositoryOf(others[0].reference);
  }

  /** Remember that a repository has the image under this digest. @param reference with a digest */
  nameByDigest(reference: Reference, image: Digest): void {
    this.#index.setName(reference, this.#record(image).id);
  }

  /**
   * An image as a registry takes it: with the manifest that it came with, else with one of our own, which is its own from
   * then on. Nothing of it goes while `use` runs.
   *
   * @throws {Fault} `not-found`; what `use` throws
   */
  async distribute<T>(
    id: Digest,
    use: (image: DistributableImage) => Promise<T>,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<T> {
    const parts = {
      content: this.#content,
      layers: this.#layers,
      limits: this.#limits,
      reach: this.#reach,
    };
    const lease = new Set<Digest>();
    this.#leases.add(lease);
    try {
      const image = await this.#distributing.run(
        id,
        async () => {
          const record = this.#record(id);
          const { manifestDigest } = record;
          if (manifestDigest !== undefined)
            return await readDistributable({ ...record, manifestDigest }, parts);
          const made = await makeDistributable(record, parts, { lease, ...(signal && { signal }) });
          lease.add(made.manifest.digest);
          await this.#content.ingest(chunks(made.manifest.bytes));
          const blobs = [
            made.manifest.digest,
            made.config.digest,
            ...made.layers.map(({ digest }) => digest),
          ];
          this.#index.put({ ...record, manifestDigest: made.manifest.digest, blobs }, []);
          return made;
        },
        signal,
      );
      for (const { digest } of [image.manifest, image.config, ...image.layers]) lease.add(digest);
      return await use(image);
    } finally {
      this.#leases.delete(lease);
      await this.collect(lease);
    }
  }

  /**
   * Take in an image from where its parts can be had. Layers come and are unpacked all at once. The image is there,
   * durably, when this returns; what was fetched and checked of one that failed is kept for the next try for a while.
   *
   * @returns the image, and whether one of the names meant another before
   * @throws {Fault} `invalid-argument`, `data-loss` for its sake, `resource-exhausted` for the disk's; what its origins
   * throw; the reason of `signal`
   */
  async receive(
    remote: RemoteImage,
    options: ReceiveOptions = {},
  ): Promise<{ readonly image: Image; readonly isNew: boolean }> {
    const { manifest, layers, references } = remote;
    const config = parseImageConfig(remote.config.bytes);
    checkLayerCount({ wanted: config.diffIds.length, is: layers.length, limits: this.#limits });
    await using configBlob = await this.#content.stage(chunks(remote.config.bytes), {
      expected: { digest: remote.config.digest },
    });
    await using manifestBlob = await this.#content.stage(chunks(manifest.bytes), {
      expected: { digest: manifest.digest },
    });
    const lease = new Set([configBlob.digest, manifestBlob.digest, ...layers.map(({ digest }) => digest)]);
    this.#leases.add(lease);
    this.#reach("pull.staged");
    try {
      const { signal, onNews = () => {} } = options;
      const sources = layers.map(
        (origin, index): LayerInProgress => ({
          diffId: config.diffIds[index] ?? origin.digest,
          sizeBytes: origin.sizeBytes,
          begin: (context) =>
            receiveLayer(
              { content: this.#content, layers: this.#layers },
              { diffId: config.diffIds[index] ?? origin.digest, origin },
              { ...context, onNews: (news) => onNews(index, news) },
            ),
        }),
      );
      const onFailure = (held: readonly HeldLayer[]) => this.#leftovers.keep({ blobs: lease, held });
      await using received = await unpackAll(sources, { ...(signal && { signal }), onFailure });
      this.#reach("pull.unpacked");
      for (const blob of [configBlob, manifestBlob]) await blob.commit();
      this.#reach("pull.kept");
      const isNew = references.some(
        (reference) => this.#index.findName(reference)?.image !== configBlob.digest,
      );
      this.#index.put(
        {
          id: configBlob.digest,
          manifestDigest: manifest.digest,
          config,
          chainIds: received.held.map(({ layer }) => layer.chainId),
          blobs: [...lease],
        },
        references,
      );
      this.#reach("pull.recorded");
      this.#leftovers.settle(lease);
      this.#inBackground(this.#layers.sync());
      return { image: this.#get(configBlob.digest), isNew };
    } finally {
      this.#leases.delete(lease);
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
    return await this.#addLayer(withoutForeignCompression(stream), {
      ...(target && { target }),
      ...(signal && { signal }),
      configOf: (diffIds) => {
        const created = this.#now();
        return {
          ...(options.platform ?? this.#platform),
          created,
          execution: { ...emptyExecution, ...changes },
          diffIds,
          history: [{ created, createdBy: "", author: "", comment: message, emptyLayer: false }],
        };
      },
    });
  }

  /**
   * Make an image of another one and a layer on top: `stream` is the layer's archive. One without entries makes no layer.
   *
   * @throws {Fault} as `load`; `not-found` for the image below
   */
  async commit(stream: AsyncIterable<Uint8Array>, options: CommitOptions): Promise<Image> {
    const { parent, execution, author, message, createdBy, reference, signal } = options;
    const target = reference === undefined || reference === "" ? undefined : parseTarget(reference);
    const base = this.#index.get(findImage(this.#index, parent));
    if (base === undefined) throw storeFaults.IMAGE_NOT_FOUND(parent);
    const { comment: _comment, author: _author, inlineCache: _cache, ...inherited } = base.config;
    return await this.#addLayer(stream, {
      base,
      ...(target && { target }),
      ...(signal && { signal }),
      configOf: (diffIds) => {
        const created = this.#now();
        const emptyLayer = diffIds.length === base.config.diffIds.length;
        return {
          ...inherited,
          created,
          ...(author !== "" && { author }),
          ...(message !== "" && { comment: message }),
          execution,
          diffIds,
          history: [...base.config.history, { created, createdBy, author, comment: message, emptyLayer }],
        };
      },
    });
  }

  /**
   * A new layer on top of `parent`; held until disposal. One without entries makes none.
   *
   * @throws {Fault} as `load`; `not-found` for the layer below
   */
  async addLayer(
    source: LayerOrigin,
    { parent, ...cancelable }: { readonly parent?: ChainId; readonly signal?: AbortSignal },
  ): Promise<HeldLayer | undefined> {
    using _hold = parent === undefined ? undefined : this.#layers.hold(parent);
    await using blob = await this.#content.stage(archiveOf(source, cancelable), cancelable);
    if (blob.digest === emptyArchive) return undefined;
    this.#reach("commit.staged");
    const made = await folderOf(source, cancelable);
    return await this.#leased([blob], async () => {
      const held = await this.#layers.unpack({ parent, diffId: undefined, blob, ...made, ...cancelable });
      this.#reach("commit.unpacked");
      return held;
    });
  }

  /**
   * Make an image of layers that are there. The caller holds them.
   *
   * @param options.references names for it, taken from images that have them
   * @throws {Fault} `not-found` for a layer, `invalid-argument` for a name
   */
  async create(config: ImageConfig, options: { readonly references: readonly string[] }): Promise<Image> {
    const targets = options.references.map(parseTarget);
    const chainId = chainIdsOf(config.diffIds).at(-1);
    if (chainId !== undefined) this.#layers.get(chainId);
    await using configBlob = await this.#content.stage(chunks(formatImageConfig(config)));
    return await this.#leased([configBlob], async () => {
      await configBlob.commit();
      this.#reach("commit.kept");
      this.#put({ config, configBlob, layers: [] }, targets);
      this.#reach("commit.recorded");
      this.#inBackground(this.#layers.sync());
      return this.#get(configBlob.digest);
    });
  }

  /** Keep a layer and those below it until disposal. */
  holdLayer(chainId: ChainId): Disposable {
    return this.#layers.hold(chainId);
  }

  /** A layer and those below it, lowest first. @throws {Fault} `not-found` */
  layersOf(chainId: ChainId | undefined): readonly Layer[] {
    return this.#layers.chain(chainId).toReversed();
  }

  /**
   * Images as one archive that `load` and other programs read.
   *
   * @param options.isWanted the others are left out
   * @throws {Fault} `not-found`, `invalid-argument` at once; Docker's words
   */
  save(
    names: readonly string[],
    { isWanted = () => true }: { readonly isWanted?: (config: ImageConfig) => boolean } = {},
  ): {
    readonly ids: readonly Digest[];
    readonly archive: AsyncGenerator<Uint8Array, void, undefined>;
  } {
    const selected = new Map(
      [...selectImages(this.#index, names)].filter(([id]) => isWanted(this.#record(id).config)),
    );
    return { ids: [...selected.keys()], archive: this.#save(selected) };
  }

  async *#save(selected: ReturnType<typeof selectImages>): AsyncGenerator<Uint8Array, void, undefined> {
    const images = [...selected].map(([id, references]): ImageToSave => {
      const { manifestDigest, chainIds } = this.#record(id);
      const chainId = chainIds.at(-1);
      return {
        id,
        ...(manifestDigest && { manifestDigest }),
        ...(chainId && { chainId }),
        layerBlobs: chainIds.map((layer) => this.#layers.blobOf(layer)),
        references,
      };
    });
    const lease = new Set(
      images.flatMap(({ id, layerBlobs }) => [id, ...layerBlobs, ...this.#record(id).blobs]),
    );
    await using _lease = this.#lease(lease);
    yield* saveImages(images, this.#content);
  }

  /**
   * Remove layers that nothing refers to any more, and of `blobs` those. Returns the layers, topmost first. None while it is
   * not known what an image refers to.
   */
  async collect(blobs: Iterable<Digest>): Promise<readonly ChainId[]> {
    if (this.#index.isDamaged) return [];
    const referenced = this.#index.list().flatMap(({ chainIds }) => chainIds.at(-1) ?? []);
    const layerBlobs = this.#layers.blobs();
    const removed = await this.#layers.collect([...referenced, ...this.#layersInUse()]);
    const isNeeded = (digest: Digest) =>
      this.#index.blobs().has(digest) ||
      this.#layers.blobs().has(digest) ||
      this.#leftovers.has(digest) ||
      [...this.#leases].some((lease) => lease.has(digest));
    for (const digest of new Set([...blobs, ...layerBlobs])) {
      if (isNeeded(digest)) continue;
      await this.#content.remove(digest, () => isNeeded(digest));
      this.#reach("blob.removed");
    }
    return removed;
  }

  /** Nothing is received any more. */
  [Symbol.dispose](): void {
    this.#leftovers[Symbol.dispose]();
  }

  async #readArchive(
    files: ArchiveFiles,
    { platform: asked, signal }: LoadOptions,
  ): Promise<readonly ArchivedImage[]> {
    const limits = this.#limits;
    const platform = asked ?? this.#platform;
    const isLayout = isOciLayout(files);
    if (files.find("manifest.json") !== undefined) {
      const manifests = isLayout ? await readManifests(files, platform) : new Map<Digest, StagedBlob>();
      return await readDockerArchive(files, { limits, manifests, ...(asked && { platform: asked }) });
    }
    if (isLayout) return await readOciLayout(files, { limits, platform });
    if (isV1Archive(files)) return await readV1Archive(files, { limits, ...(signal && { signal }) });
    throw storeFaults.ARCHIVE_INVALID(
      "it has neither manifest.json nor index.json nor repositories, so it is not an image archive",
    );
  }

  async #add(image: ArchivedImage, options: LoadOptions): Promise<readonly LoadEvent[]> {
    const { configBlob, manifestBlob, layerBlobs, references, isV1 = false } = image;
    const kept = [configBlob, ...(manifestBlob === undefined ? [] : [manifestBlob, ...layerBlobs])];
    return await this.#leased([...kept, ...layerBlobs], async () => {
      await using layers = await unpackArchived(this.#layers, image, options);
      this.#reach("load.unpacked");
      for (const blob of kept) await blob.commit();
      this.#reach("load.kept");
      const events: LoadEvent[] = [];
      for (const reference of references) {
        const previous = this.#index.findName(reference)?.image;
        const text = formatFamiliar(reference);
        if (previous !== undefined && previous !== configBlob.digest) {
          events.push({ kind: "renamed", reference: text, previousId: previous });
        }
        if (!isV1) events.push({ kind: "loaded", reference: text, id: configBlob.digest });
      }
      this.#put({ ...image, layers: layers.held, kept }, references);
      this.#reach("load.recorded");
      this.#inBackground(this.#layers.sync());
      return isV1 || events.length > 0 ? events : [{ kind: "loaded", id: configBlob.digest }];
    });
  }

  /** Make an image whose topmost layer is a new one. */
  async #addLayer(
    stream: AsyncIterable<Uint8Array>,
    options: {
      readonly base?: ImageRecord;
      readonly target?: Reference;
      readonly configOf: (diffIds: readonly Digest[]) => ImageConfig;
      readonly signal?: AbortSignal;
    },
  ): Promise<Image> {
    const { base, target, configOf, signal } = options;
    await using blob = await this.#content.stage(stream, signal && { signal });
    this.#reach("commit.staged");
    return await this.#leased([blob], async (lease) => {
      const isNone = base !== undefined && blob.digest === emptyArchive;
      using held = isNone
        ? undefined
        : await this.#layers.unpack({
            parent: base?.chainIds.at(-1),
            diffId: undefined,
            blob,
            ...(signal && { signal }),
          });
      this.#reach("commit.unpacked");
      const config = configOf([...(base?.config.diffIds ?? []), ...(held ? [held.layer.diffId] : [])]);
      await using configBlob = await this.#content.stage(chunks(formatImageConfig(config)));
      lease.add(configBlob.digest);
      await configBlob.commit();
      this.#reach("commit.kept");
      this.#put({ config, configBlob, layers: held ? [held] : [] }, target === undefined ? [] : [target]);
      this.#reach("commit.recorded");
      return this.#get(configBlob.digest);
    });
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

  #lease(blobs: Set<Digest>): AsyncDisposable {
    this.#leases.add(blobs);
    return {
      [Symbol.asyncDispose]: async () => {
        this.#leases.delete(blobs);
        await this.collect(blobs);
      },
    };
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

  #record(id: Digest): ImageRecord {
    const record = this.#index.get(id);
    if (record === undefined) throw storeFaults.IMAGE_NOT_FOUND(id);
    return record;
  }

  #get(id: Digest): Image {
    const record = this.#record(id);
    const layers = record.chainIds.map((chainId) => this.#layers.get(chainId));
    return imageOf(record, { names: this.#index.namesOf(id), layers });
  }
}

/** What an archive without entries hashes to: 1024 zeros. */
const emptyArchive = digestOf(Buffer.alloc(1024));

async function* chunks(...data: readonly Uint8Array[]) {
  yield* data;
}
