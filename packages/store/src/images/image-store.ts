import { KeyedMutex } from "@hawser/base";
import { type Digest, type ImageConfig, type Reference, repositoryOf } from "@hawser/oci";
import { type ImageToSave, saveImages } from "../archive/save-images.ts";
import { type DistributableImage, makeDistributable, readDistributable } from "./distribute-image.ts";
import { findImage, findName } from "./find-image.ts";
import { getImage, getRecord, type Image } from "./image.ts";
import type { ImageIndex, NewName } from "./image-index.ts";
import { ImageLayers, type ImageLayersParts } from "./image-layers.ts";
import { type KeptIndex, readKeptIndex } from "./kept-index.ts";
import { parseTarget } from "./new-image.ts";
import { type RemovedItem, type RemoveImageOptions, removeImage } from "./remove-image.ts";
import { selectImages } from "./select-images.ts";

export interface ImageStoreParts extends ImageLayersParts {
  readonly index: ImageIndex;
}

/**
 * The images that there are, and their names. An image is there when it is whole: its configuration, manifest and layers were
 * checked against their digests and are on the disk.
 */
export class ImageStore {
  readonly #parts: ImageStoreParts;
  readonly #index: ImageIndex;
  readonly #distributing = new KeyedMutex();
  /** What the images are made of, for who has no image of it. */
  readonly layers: ImageLayers;

  constructor(parts: ImageStoreParts) {
    this.#parts = parts;
    this.#index = parts.index;
    this.layers = new ImageLayers(parts);
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
    const attested = findName(this.#index, source)?.attested;
    this.#index.setName({ reference: parseTarget(target), attested }, id);
    this.#parts.reach("tag.recorded");
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
    this.#parts.reach("rmi.unnamed");
    const layers =
      image === undefined || before === undefined ? [] : await this.#parts.garbage.collect(before.blobs);
    return [...removed, ...layers.map((chainId) => ({ deleted: chainId }))];
  }

  /** The tags of a repository, in order, and what they mean. */
  tagsOf({ domain, path }: Reference): readonly TaggedImage[] {
    return this.#index
      .listNames()
      .filter(({ reference }) => reference.domain === domain && reference.path === path)
      .filter(({ reference }) => reference.tag !== undefined)
      .map(({ image, ...name }) => ({ ...name, image: this.#get(image) }));
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

  /** Remember that a repository has the image under this digest, which is its own or that of the index `attested`. */
  nameByDigest(name: NewName, image: Digest): void {
    this.#index.setName(name, getRecord(this.#index, image).id);
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
    const parts = this.#parts;
    const lease = new Set<Digest>();
    await using _lease = parts.garbage.lease(lease);
    const image = await this.#distributing.run(
      id,
      async () => {
        const record = getRecord(this.#index, id);
        const { manifestDigest } = record;
        if (manifestDigest !== undefined)
          return await readDistributable({ ...record, manifestDigest }, parts);
        const made = await makeDistributable(record, parts, { lease, ...(signal && { signal }) });
        lease.add(made.manifest.digest);
        await parts.content.ingest([made.manifest.bytes]);
        const blobs = [made.manifest.digest, made.config.digest, ...made.layers.map(({ digest }) => digest)];
        this.#index.put({ ...record, manifestDigest: made.manifest.digest, blobs }, []);
        return made;
      },
      signal,
    );
    for (const { digest } of [image.manifest, image.config, ...image.layers]) lease.add(digest);
    return await use(image);
  }

  /**
   * Keep an index of an image and of what is said of it: others get it by the names from then on, until those are another's.
   *
   * @param index.blobs the index, all that it names, and what that names; what is here is not read
   * @throws {Fault} `not-found` for the image, `invalid-argument` for a name
   */
  async attest(
    id: Digest,
    index: {
      readonly digest: Digest;
      readonly blobs: readonly { readonly digest: Digest; readonly open: () => AsyncIterable<Uint8Array> }[];
    },
    names: readonly string[],
  ): Promise<void> {
    const { content, garbage } = this.#parts;
    const lease = new Set(index.blobs.map(({ digest }) => digest));
    await using _lease = garbage.lease(lease);
    for (const { digest, open } of index.blobs) {
      if (!(await content.has(digest))) await content.ingest(open(), { expected: { digest } });
    }
    const record = { ...getRecord(this.#index, id), blobs: [...lease] };
    this.#index.put(
      record,
      names.map((name) => ({ reference: parseTarget(name), attested: index.digest })),
    );
  }

  /** The index that a name has. Nothing of it goes while `use` runs. @throws {Fault} `data-loss`; what `use` throws */
  async distributeIndex<T>(digest: Digest, use: (index: KeptIndex) => Promise<T>): Promise<T> {
    const lease = new Set([digest]);
    await using _lease = this.#parts.garbage.lease(lease);
    const index = await readKeptIndex(digest, this.#parts);
    for (const one of [...index.manifests, ...index.blobs]) lease.add(one.digest);
    return await use(index);
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
      [...selectImages(this.#index, names)].filter(([id]) => isWanted(getRecord(this.#index, id).config)),
    );
    return { ids: [...selected.keys()], archive: this.#save(selected) };
  }

  async *#save(selected: ReturnType<typeof selectImages>): AsyncGenerator<Uint8Array, void, undefined> {
    const images = [...selected].map(([id, names]): ImageToSave => {
      const { manifestDigest, chainIds } = getRecord(this.#index, id);
      const chainId = chainIds.at(-1);
      return {
        id,
        ...(manifestDigest && { manifestDigest }),
        ...(chainId && { chainId }),
        layerBlobs: chainIds.map((layer) => this.#parts.layers.archiveOf(layer).blob),
        names,
      };
    });
    const lease = new Set(
      images.flatMap(({ id, layerBlobs }) => [id, ...layerBlobs, ...getRecord(this.#index, id).blobs]),
    );
    await using _lease = this.#parts.garbage.lease(lease);
    yield* saveImages(images, this.#parts.content);
  }

  #get(id: Digest): Image {
    return getImage(this.#parts, id);
  }
}

/** An image by one of its tags. */
export interface TaggedImage {
  readonly reference: Reference;
  readonly image: Image;
  /** As `ImageStore.attest` has got it. */
  readonly attested?: Digest;
}
