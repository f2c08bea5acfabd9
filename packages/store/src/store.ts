import { access, constants, mkdir, readdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf, type Logger } from "@hawser/base";
import { type Platform, platformOfNode } from "@hawser/oci";
import { BuildCache } from "./build-cache.ts";
import { ContentStore } from "./content/content-store.ts";
import { Database } from "./database.ts";
import { diskFault } from "./disk-fault.ts";
import { Garbage } from "./images/garbage.ts";
import { ImageIndex } from "./images/image-index.ts";
import { ImageMaker } from "./images/image-maker.ts";
import { ImageStore } from "./images/image-store.ts";
import { LayerStore } from "./layers/layer-store.ts";
import { defaultStoreLimits, type StoreLimits } from "./limits.ts";
import { type StorePaths, storePaths } from "./paths.ts";
import { Snapshotter } from "./snapshots/snapshotter.ts";
import type { ReachStoreStep } from "./steps.ts";
import { Trash } from "./trash.ts";

export interface StoreOptions {
  /** The data root; made when it is not there. One store at a time uses it. */
  readonly root: string;
  readonly log: Logger;
  readonly now?: () => Date;
  readonly limits?: Partial<StoreLimits>;
  /** For images without a better choice. Default: this machine. */
  readonly platform?: Platform;
  /** Default: nothing happens at any step. */
  readonly reach?: ReachStoreStep;
}

/** Images at rest, and the writable layers of containers on top of them. Needs root to unpack layers. */
export class Store implements AsyncDisposable {
  readonly content: ContentStore;
  readonly images: ImageStore;
  readonly maker: ImageMaker;
  readonly snapshots: Snapshotter;
  readonly buildCache: BuildCache;
  readonly #garbage: Garbage;
  readonly #database: Database;
  readonly #settled: () => Promise<void>;

  private constructor(parts: {
    readonly content: ContentStore;
    readonly images: ImageStore;
    readonly maker: ImageMaker;
    readonly snapshots: Snapshotter;
    readonly buildCache: BuildCache;
    readonly garbage: Garbage;
    readonly database: Database;
    readonly settled: () => Promise<void>;
  }) {
    this.content = parts.content;
    this.images = parts.images;
    this.maker = parts.maker;
    this.snapshots = parts.snapshots;
    this.buildCache = parts.buildCache;
    this.#garbage = parts.garbage;
    this.#database = parts.database;
    this.#settled = parts.settled;
  }

  /**
   * Open the store below `root`, in whatever state a crash left it: what was on its way is removed, in the background
   * where that takes long.
   *
   * @throws {Fault} `resource-exhausted`, `unavailable` or `permission-denied` when the disk refuses, `data-loss` when
   * the database is damaged, `unavailable` when a newer version made it
   */
  static async open(options: StoreOptions): Promise<Store> {
    const { root, log, now = () => new Date(), reach = () => {} } = options;
    const paths = storePaths(root);
    await makeFolders(paths);
    const trash = new Trash({ pathOf: (name) => paths.ingestedLayer(name), log });
    for (const name of await readdir(paths.contentIngest)) trash.empty(paths.ingestedBlob(name));
    for (const name of await readdir(paths.layersIngest)) trash.empty(paths.ingestedLayer(name));

    const database = Database.open(paths.database);
    try {
      const limits = { ...defaultStoreLimits, ...options.limits };
      const bootId = (await readFile("/proc/sys/kernel/random/boot_id", "latin1")).trim();
      const content = new ContentStore(paths);
      const index = new ImageIndex({ database, now });
      await index.recover(content, log);
      const layers = new LayerStore({ database, content, paths, trash, log, limits, bootId, reach });
      await layers.recover();
      const buildCache = new BuildCache({ database, layers, now });
      buildCache.recover();
      const background = new Set<Promise<unknown>>();
      const inBackground = (work: Promise<unknown>) => {
        const watched = work
          .catch((error: unknown) => log.warn("background work failed", { error }))
          .finally(() => background.delete(watched));
        background.add(watched);
      };
      const mounted = () => snapshots.parents();
      const results = () => buildCache.chainIds();
      const garbage: Garbage = new Garbage({ index, content, layers, mounted, results, inBackground, reach });
      const platform = options.platform ?? platformOfNode(process);
      const imageParts = { index, content, layers, garbage, limits, inBackground, reach };
      const images = new ImageStore(imageParts);
      const maker = new ImageMaker({ ...imageParts, platform, log, now });
      const collect = () => images.layers.collect();
      const snapshots: Snapshotter = new Snapshotter({ database, layers, paths, trash, collect, now, reach });
      await snapshots.recover();
      await garbage.collect(await content.list());
      const settled = async () => {
        await Promise.all(background);
        await trash.settled();
      };
      return new Store({ content, images, maker, snapshots, buildCache, garbage, database, settled });
    } catch (error) {
      database[Symbol.dispose]();
      throw diskFault(error, root);
    }
  }

  /** Waits for what is being removed in the background. Nothing of the store may be in use any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#garbage[Symbol.dispose]();
    await this.#settled();
    this.#database[Symbol.dispose]();
  }
}

async function makeFolders(paths: StorePaths): Promise<void> {
  try {
    // On a read-only disk mkdir says ENOENT, and SQLite only that it cannot open its file.
    await checkWritable(paths.root);
    await mkdir(paths.root, { recursive: true, mode: 0o710 });
    for (const folder of [paths.contentIngest, paths.layersIngest, paths.snapshots]) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
    }
  } catch (error) {
    throw diskFault(error, paths.root);
  }
}

async function checkWritable(path: string): Promise<void> {
  try {
    await access(path, constants.W_OK);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" || dirname(path) === path) throw error;
    await checkWritable(dirname(path));
  }
}
