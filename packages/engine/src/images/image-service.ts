import {
  familiarName,
  formatFamiliar,
  formatPlatform,
  type ImageConfig,
  type Platform,
  parseAnyReference,
  parseReference,
  withDefaultTag,
} from "@hawser/oci";
import type {
  CommitOptions,
  Image,
  ImageMaker,
  ImageStore,
  ImportOptions,
  LayerProgress,
  LoadEvent,
  RemovedItem,
  Store,
} from "@hawser/store";
import type { EventBus } from "../events/event-bus.ts";
import type { BuiltinImages } from "./builtin-images.ts";
import { fitsPlatform } from "./check-platform.ts";
import { imageFaults } from "./faults.ts";
import { TransferFeed } from "./transfer-feed.ts";

/** A container that was made from an image. */
export interface ContainerUse {
  readonly id: string;
  readonly running: boolean;
}

export interface ImageServiceParts {
  readonly store: Pick<Store, "images" | "maker">;
  readonly events: EventBus;
  readonly usedBy: (imageId: string) => readonly ContainerUse[];
  readonly builtin: Pick<BuiltinImages, "ensure">;
}

/** What is told of a load: its images, and with progress how far each layer is that is unpacked. */
export type LoadNews = LoadEvent | ({ readonly kind: "layer" } & LayerProgress);

/** Images as clients know them: the store's, with events, the built-in ones, and the containers that hold on to them. */
export class ImageService {
  readonly #images: ImageStore;
  readonly #maker: ImageMaker;
  readonly #events: EventBus;
  readonly #usedBy: ImageServiceParts["usedBy"];
  readonly #builtin: ImageServiceParts["builtin"];

  constructor({ store, events, usedBy, builtin }: ImageServiceParts) {
    this.#images = store.images;
    this.#maker = store.maker;
    this.#events = events;
    this.#usedBy = usedBy;
    this.#builtin = builtin;
  }

  /**
   * The image of a name or an id, or enough of its beginning.
   *
   * @throws {Fault} `not-found`, `invalid-argument`; Docker's words
   */
  resolve(nameOrId: string): Image {
    return this.#images.resolve(nameOrId);
  }

  list(): readonly Image[] {
    return this.#images.list();
  }

  count(): number {
    return this.#images.list().length;
  }

  /** How many containers were made from the image. */
  useCount(image: Image): number {
    return this.#usedBy(image.id).length;
  }

  /**
   * The built-in image of that name, pulled from this engine's mirror if need be; `undefined` when there is none.
   *
   * @throws {Fault} `invalid-argument` for what is no reference; as a pull.
   */
  async ensureBuiltin(
    reference: string,
  ): Promise<{ readonly image: Image; readonly isNew: boolean } | undefined> {
    return await this.#builtin.ensure(reference);
  }

  /**
   * Take in the images of an archive, one after the other.
   *
   * @throws {Fault} as the store's `load`; the images before stay.
   */
  load(
    archive: AsyncIterable<Uint8Array>,
    options: { readonly platform?: Platform; readonly withProgress: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<LoadNews, void, undefined> {
    const { platform, withProgress } = options;
    const feed = new TransferFeed<LoadNews>(() => performance.now());
    const onProgress = (progress: LayerProgress) => {
      const isComplete = progress.currentBytes === progress.totalBytes;
      feed.putProgress({ kind: "layer", ...progress }, { key: progress.diffId, isComplete });
    };
    const work = async (signal: AbortSignal) => {
      const request = { signal, ...(platform && { platform }), ...(withProgress && { onProgress }) };
      for await (const event of this.#maker.load(archive, request)) {
        if (event.kind === "loaded") this.#publish("load", event.id, event.id);
        feed.put(event);
      }
    };
    return feed.during(work, options.signal);
  }

  /** Make an image of a root file system's archive. */
  async import(archive: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<Image> {
    const image = await this.#maker.import(archive, options);
    this.#publishTags(image, options.reference);
    this.#publish("import", image.id, image.id);
    return image;
  }

  /** Make an image of another one and a layer on top. */
  async commit(layer: AsyncIterable<Uint8Array>, options: CommitOptions): Promise<Image> {
    const image = await this.#maker.commit(layer, options);
    this.#publish("create", image.id, image.id);
    this.#publishTags(image, options.reference);
    return image;
  }

  /** Make an image of layers that are there: what a build has made. @throws {Fault} as the store's `create` */
  async create(config: ImageConfig, options: { readonly references: readonly string[] }): Promise<Image> {
    const image = await this.#maker.create(config, options);
    this.#publish("create", image.id, image.id);
    this.#publishTags(image, ...options.references);
    return image;
  }

  /**
   * Images as one archive.
   *
   * @param options.platform only those that a machine of that platform runs
   * @throws {Fault} `not-found`, `invalid-argument` at once; Docker's words
   */
  save(
    names: readonly string[],
    { platform }: { readonly platform?: Platform } = {},
  ): AsyncIterable<Uint8Array> {
    const { ids, archive } = this.#images.save(names, {
      isWanted: (config) => platform === undefined || fitsPlatform(platform, config),
    });
    if (platform !== undefined && ids.length === 0)
      throw imageFaults.NOTHING_TO_SAVE(formatPlatform(platform));
    for (const id of ids) this.#publish("save", id, id);
    return archive;
  }

  /** Announce that unused images were removed. */
  publishPrune(reclaimedBytes: number): void {
    const attributes = { reclaimed: String(reclaimedBytes) };
    this.#events.publish({ type: "image", action: "prune", actor: { id: "", attributes } });
  }

  /** @throws {Fault} `not-found`, `invalid-argument`; Docker's words */
  tag(source: string, target: string): void {
    const image = this.#images.tag(source, target);
    this.#publishTags(image, target);
  }

  /**
   * Take a name from an image, or remove it with all its names, by Docker's rules.
   *
   * @throws {Fault} `not-found`, `conflict`; Docker's words
   */
  async remove(nameOrId: string, options: { readonly force: boolean }): Promise<readonly RemovedItem[]> {
    const { id, config } = this.#images.resolve(nameOrId);
    const { labels } = config.execution;
    const removed = await this.#images.remove(nameOrId, {
      force: options.force,
      isUsed: (image) => {
        const uses = this.#usedBy(image);
        const use = uses.find(({ running }) => running) ?? uses[0];
        return use && { container: use.id, running: use.running };
      },
    });
    for (const item of removed) {
      if ("untagged" in item) this.#publish("untag", id, id, labels);
      else if (item.deleted === id) this.#publish("delete", id, id, labels);
    }
    return removed;
  }

  #publishTags({ id }: Image, ...references: readonly (string | undefined)[]): void {
    for (const reference of references) {
      if (reference === undefined || reference === "") continue;
      this.#publish("tag", id, formatFamiliar(withDefaultTag(parseReference(reference))));
    }
  }

  /** @param labels absent: the image's, which is still there */
  #publish(action: string, id: string, name: string, labels?: Readonly<Record<string, string>>): void {
    const own = labels ?? this.#images.resolve(id).config.execution.labels;
    this.#events.publish({ type: "image", action, actor: { id, attributes: { ...own, name } } });
  }
}

/** What someone who uses a built-in image is told. */
export function builtinNotice(reference: string): string {
  return `Using the built-in image "${reference}": no registry was asked`;
}

/**
 * The reference that `fromImage` and `tag` (a tag or a digest, perhaps empty) mean together.
 *
 * @throws {Fault} `invalid-argument`
 */
export function joinReference(name: string, tag: string): string {
  const trimmed = name.replace(/:$/, "");
  if (tag === "") return trimmed;
  const any = parseAnyReference(trimmed);
  if (any.kind === "digest") return trimmed;
  const repository = familiarName(any.reference);
  return tag.includes(":") ? `${repository}@${tag}` : `${repository}:${tag}`;
}
