import { Fault, type Logger } from "@hawser/base";
import {
  chainIdsOf,
  type Digest,
  formatFamiliar,
  formatImageConfig,
  type ImageConfig,
  type Platform,
  parseImageConfig,
  type Reference,
} from "@hawser/oci";
import { ArchiveFiles } from "../archive/archive-files.ts";
import { type ArchivedImage, checkLayerCount } from "../archive/archived-image.ts";
import { withoutForeignCompression } from "../archive/foreign-compression.ts";
import { readArchive } from "../archive/read-archive.ts";
import type { ContentStore, StagedBlob } from "../content/content-store.ts";
import { storeFaults } from "../faults.ts";
import type { HeldLayer } from "../layers/layer-store.ts";
import { findImage } from "./find-image.ts";
import { getImage, type Image } from "./image.ts";
import type { ImageIndex, ImageRecord, NewName } from "./image-index.ts";
import { emptyArchive, type ImageLayersParts } from "./image-layers.ts";
import type {
  CommitOptions,
  ImportOptions,
  LoadEvent,
  LoadOptions,
  ReceiveOptions,
  RemoteImage,
} from "./image-requests.ts";
import { emptyExecution, parseTarget } from "./new-image.ts";
import { beginIndex } from "./receive-index.ts";
import { beginBlobs, receiveLayer } from "./receive-layers.ts";
import { type LayerInProgress, unpackAll, unpackArchived } from "./unpack-all.ts";

export interface ImageMakerParts extends ImageLayersParts {
  readonly index: ImageIndex;
  /** For images without a better choice. */
  readonly platform: Platform;
  readonly log: Logger;
  readonly now: () => Date;
}

/** Makes images: of archives, of what registries have, of layers. What it gives back is whole and durable. */
export class ImageMaker {
  readonly #parts: ImageMakerParts;

  constructor(parts: ImageMakerParts) {
    this.#parts = parts;
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
    const { content, limits, log, platform, reach } = this.#parts;
    const { signal } = options;
    await using files = await ArchiveFiles.read(stream, {
      content,
      limits,
      log,
      ...(signal && { signal }),
    });
    reach("load.staged");
    const images = await readArchive(files, {
      limits,
      platform,
      ...(options.platform && { asked: options.platform }),
      ...(signal && { signal }),
    });
    for (const image of images) yield* await this.#add(image, options);
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
    const result = await this.#receive(remote, options);
    // Only now: what is removed while a file system is synced waits for it.
    this.#parts.inBackground(this.#parts.layers.sync());
    return result;
  }

  async #receive(
    remote: RemoteImage,
    options: ReceiveOptions,
  ): Promise<{ readonly image: Image; readonly isNew: boolean }> {
    const { content, garbage, index, layers, limits, reach } = this.#parts;
    const { manifest, references } = remote;
    const { signal, onNews = () => {}, onUnattested = () => {} } = options;
    const id = remote.config.digest;
    const lease = new Set([id, manifest.digest, ...remote.layers.map(({ digest }) => digest)]);
    checkLayerCount({ wanted: remote.layers.length, is: remote.layers.length, limits });
    return await garbage.fetching(lease, async () => {
      const reading = remote.config.read(); // first: it gets the connection that is open
      reading.catch(() => {}); // awaited below
      await using begun = beginBlobs(content, remote.layers, onNews);
      const configBytes = await reading;
      const config = parseImageConfig(configBytes);
      checkLayerCount({ wanted: config.diffIds.length, is: remote.layers.length, limits });
      layers.expect(chainIdsOf(config.diffIds));
      reach("pull.begun");
      const sources = remote.layers.map(
        (origin, at): LayerInProgress => ({
          diffId: config.diffIds[at] ?? origin.digest,
          sizeBytes: origin.sizeBytes,
          begin: (context) =>
            receiveLayer(
              { content, layers },
              { diffId: config.diffIds[at] ?? origin.digest, origin },
              { ...context, begun: begun.blobs[at], onNews: (news) => onNews(at, news) },
            ),
        }),
      );
      const onFailure = (held: readonly HeldLayer[]) => garbage.keep({ blobs: lease, held });
      await using keeping = keepAll(content, [{ digest: id, bytes: configBytes }, manifest]);
      await using arriving = remote.index && beginIndex(remote.index, { content, garbage, limits }, options);
      await using received = await unpackAll(sources, { ...(signal && { signal }), onFailure });
      reach("pull.unpacked");
      await keeping.done;
      const arrived = await arriving?.done;
      if (Fault.is(arrived)) onUnattested(arrived);
      const attested = Fault.is(arrived) ? undefined : arrived;
      reach("pull.kept");
      const isNew = references.some((reference) => index.findName(reference)?.image !== id);
      index.put(
        {
          id,
          manifestDigest: manifest.digest,
          config,
          chainIds: received.held.map(({ layer }) => layer.chainId),
          blobs: [...lease, ...(attested?.blobs ?? [])],
        },
        references.map((reference) => ({ reference, attested: attested?.digest })),
      );
      reach("pull.recorded");
      return { image: getImage(this.#parts, id), isNew };
    });
  }

  /**
   * Make an image of one layer from a tar archive of a root file system, plain or compressed.
   *
   * @throws {Fault} as `load`
   */
  async import(stream: AsyncIterable<Uint8Array>, options: ImportOptions = {}): Promise<Image> {
    const { now, platform } = this.#parts;
    const { reference, message = "", changes = {}, signal } = options;
    const target = reference === undefined || reference === "" ? undefined : parseTarget(reference);
    return await this.#addLayer(withoutForeignCompression(stream), {
      ...(target && { target }),
      ...(signal && { signal }),
      configOf: (diffIds) => {
        const created = now();
        return {
          ...(options.platform ?? platform),
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
    const { index, now, platform } = this.#parts;
    const { parent, execution, author, message, createdBy, reference, signal } = options;
    const target = reference === undefined || reference === "" ? undefined : parseTarget(reference);
    const base = index.get(findImage(index, parent));
    if (base === undefined) throw storeFaults.IMAGE_NOT_FOUND(parent);
    const { comment: _comment, author: _author, inlineCache: _cache, ...inherited } = base.config;
    return await this.#addLayer(stream, {
      base,
      ...(target && { target }),
      ...(signal && { signal }),
      configOf: (diffIds) => {
        const created = now();
        const emptyLayer = diffIds.length === base.config.diffIds.length;
        return {
          ...inherited,
          architecture: inherited.architecture || platform.architecture,
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
   * Make an image of layers that are there. The caller holds them.
   *
   * @param options.references names for it, taken from images that have them
   * @throws {Fault} `not-found` for a layer, `invalid-argument` for a name
   */
  async create(config: ImageConfig, options: { readonly references: readonly string[] }): Promise<Image> {
    const { content, garbage, inBackground, layers, reach } = this.#parts;
    const targets = options.references.map(parseTarget);
    const chainId = chainIdsOf(config.diffIds).at(-1);
    if (chainId !== undefined) layers.get(chainId);
    await using configBlob = await content.stage([formatImageConfig(config)]);
    return await garbage.leased([configBlob], async () => {
      await configBlob.commit();
      reach("commit.kept");
      this.#put(
        { config, configBlob, layers: [] },
        targets.map((reference) => ({ reference })),
      );
      reach("commit.recorded");
      inBackground(layers.sync());
      return getImage(this.#parts, configBlob.digest);
    });
  }

  async #add(image: ArchivedImage, options: LoadOptions): Promise<readonly LoadEvent[]> {
    const { garbage, inBackground, index, layers, reach } = this.#parts;
    const { configBlob, manifestBlob, layerBlobs, names, aboutBlobs = [], isV1 = false } = image;
    const own = manifestBlob === undefined ? [] : [manifestBlob, ...layerBlobs];
    const kept = [configBlob, ...own, ...aboutBlobs];
    return await garbage.leased([...kept, ...layerBlobs], async () => {
      await using unpacked = await unpackArchived(layers, image, options);
      reach("load.unpacked");
      for (const blob of kept) await blob.commit();
      reach("load.kept");
      const events: LoadEvent[] = [];
      for (const { reference } of names) {
        const previous = index.findName(reference)?.image;
        const text = formatFamiliar(reference);
        if (previous !== undefined && previous !== configBlob.digest) {
          events.push({ kind: "renamed", reference: text, previousId: previous });
        }
        if (!isV1) events.push({ kind: "loaded", reference: text, id: configBlob.digest });
      }
      this.#put({ ...image, layers: unpacked.held, kept }, names);
      reach("load.recorded");
      inBackground(layers.sync());
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
    const { content, garbage, layers, reach } = this.#parts;
    const { base, target, configOf, signal } = options;
    await using blob = await content.stage(stream, signal && { signal });
    reach("commit.staged");
    return await garbage.leased([blob], async (lease) => {
      const isNone = base !== undefined && blob.digest === emptyArchive;
      using held = isNone
        ? undefined
        : await layers.unpack({
            parent: base?.chainIds.at(-1),
            diffId: undefined,
            blob,
            ...(signal && { signal }),
          });
      reach("commit.unpacked");
      const config = configOf([...(base?.config.diffIds ?? []), ...(held ? [held.layer.diffId] : [])]);
      await using configBlob = await content.stage([formatImageConfig(config)]);
      lease.add(configBlob.digest);
      await configBlob.commit();
      reach("commit.kept");
      const names = target === undefined ? [] : [{ reference: target }];
      this.#put({ config, configBlob, layers: held ? [held] : [] }, names);
      reach("commit.recorded");
      return getImage(this.#parts, configBlob.digest);
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
    names: readonly NewName[],
  ): void {
    const { config, configBlob, manifestBlob, kept = [configBlob] } = image;
    const record: ImageRecord = {
      id: configBlob.digest,
      ...(manifestBlob && { manifestDigest: manifestBlob.digest }),
      config,
      chainIds: chainIdsOf(config.diffIds),
      blobs: kept.map((blob) => blob.digest),
    };
    this.#parts.index.put(record, names);
  }
}

/** Keep documents while other work is done. Disposal waits until nothing is being done about them any more. */
function keepAll(
  content: ContentStore,
  documents: readonly { readonly digest: Digest; readonly bytes: Uint8Array }[],
): AsyncDisposable & { readonly done: Promise<unknown> } {
  const kept = documents.map(({ digest, bytes }) => content.ingest([bytes], { expected: { digest } }));
  const done = Promise.all(kept);
  done.catch(() => {}); // whoever waits is told
  return { done, [Symbol.asyncDispose]: async () => void (await Promise.allSettled(kept)) };
}
