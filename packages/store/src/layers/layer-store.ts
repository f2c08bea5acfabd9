import { randomUUID } from "node:crypto";
import { mkdir, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { Holds, KeyedMutex, type Logger } from "@hawser/base";
import { syncFileSystem } from "@hawser/linux";
import { type ChainId, chainIdOf, type Digest } from "@hawser/oci";
import type { ContentStore, StagedBlob } from "../content/content-store.ts";
import type { Database } from "../database.ts";
import { diskFault } from "../disk-fault.ts";
import { storeFaults } from "../faults.ts";
import type { StoreLimits } from "../limits.ts";
import type { StorePaths } from "../paths.ts";
import type { ReachStoreStep } from "../steps.ts";
import type { Trash } from "../trash.ts";
import { type Layer, LayerTable, type SealedLayer, type StoredLayer } from "./layer-table.ts";
import { LayerUnpacker, type UnpackedFolder, type UnpackRequest } from "./layer-unpacker.ts";
import { expectLayers } from "./unpack-layer.ts";
import { verifyArchive } from "./verify-archive.ts";

/** A layer that `collect` leaves alone until disposal. */
export interface HeldLayer<L extends Layer = Layer> extends Disposable {
  readonly layer: L;
}

/** A folder in overlay's form that is to be a layer. */
export interface MadeFolder {
  readonly path: string;
  /** Of its files' data. */
  readonly sizeBytes: number;
  readonly parent?: ChainId | undefined;
  /** What it is called: the same name on the same parent, the same content. */
  readonly name: Digest;
}

/**
 * Layers by chain id: immutable folders in overlay's form. A layer is there when its row is; its folder is whole then. A layer lives
 * as long as an image, a snapshot, a child or a hold refers to it. One that was unpacked has an archive that makes it again; one that
 * was made here has none until it is sealed, and then a chain id for others, too.
 */
export class LayerStore {
  readonly #table: LayerTable;
  readonly #content: ContentStore;
  readonly #paths: StorePaths;
  readonly #trash: Trash;
  readonly #log: Logger;
  readonly #limits: StoreLimits;
  readonly #reach: ReachStoreStep;

  readonly #holds = new Holds<ChainId>();
  readonly #busy = new KeyedMutex();
  readonly #unpacker: LayerUnpacker;

  constructor(parts: {
    readonly database: Database;
    readonly content: ContentStore;
    readonly paths: StorePaths;
    readonly trash: Trash;
    readonly log: Logger;
    readonly limits: StoreLimits;
    /** Names this run of the kernel. */
    readonly bootId: string;
    readonly reach: ReachStoreStep;
  }) {
    this.#reach = parts.reach;
    this.#unpacker = new LayerUnpacker(parts);
    this.#table = new LayerTable(parts.database, parts.bootId);
    this.#content = parts.content;
    this.#paths = parts.paths;
    this.#trash = parts.trash;
    this.#log = parts.log;
    this.#limits = parts.limits;
  }

  /**
   * Read what is there, throw away what a crash left. What a power cut may have damaged is made again of its archive; where there is
   * none, it is forgotten with what lies on it.
   */
  async recover(): Promise<void> {
    await mkdir(this.#paths.layerDiff(0), { recursive: true, mode: 0o755 });
    const doubtful = this.#table.recover();
    const known = new Set([0, ...this.#table.list().map(({ folder }) => folder)]);
    for (const name of await readdir(this.#paths.layers)) {
      const number = /^[0-9]+$/.test(name) ? Number(name) : undefined;
      if (number === undefined) continue;
      this.#table.reserve(number);
      if (!known.has(number)) await this.#trash.discard(this.#paths.layer(number));
    }
    for (const chainId of doubtful) {
      try {
        await this.#remake(chainId);
      } catch (error) {
        this.#log.error("cannot unpack a layer again after an unclean stop of the machine", {
          chainId,
          error,
        });
      }
    }
  }

  has(chainId: ChainId): boolean {
    return this.#table.has(chainId);
  }

  /** @throws {Fault} `not-found` */
  get(chainId: ChainId): Layer {
    return this.#table.get(chainId);
  }

  /** A layer's digest, and the blob whose archive makes it. @throws {Fault} `not-found`: there is no such layer, or no archive of it */
  archiveOf(chainId: ChainId): { readonly diffId: Digest; readonly blob: Digest } {
    const { diffId, blob } = this.#table.get(chainId);
    if (diffId === undefined || blob === undefined) throw storeFaults.LAYER_NOT_FOUND(chainId);
    return { diffId, blob };
  }

  /** From now on `blob`, another archive of the same content, is what makes the layer again. @throws {Fault} `not-found` */
  replaceBlob(chainId: ChainId, blob: Digest): void {
    this.#table.replaceBlob(this.archiveOf(chainId).blob, blob);
  }

  /** The layer and those below it, topmost first. @throws {Fault} `not-found` */
  chain(chainId: ChainId | undefined): readonly Layer[] {
    return this.#table.chain(chainId);
  }

  /** As `chain`. @throws {Fault} `not-found`, also for a layer that is not sealed */
  sealedChain(chainId: ChainId | undefined): readonly SealedLayer[] {
    return this.#table.chain(chainId).map((layer) => this.#sealed(layer.chainId));
  }

  /** Overlay's lower folders for what lies at and below `chainId`, topmost first, never empty. @throws {Fault} `not-found` */
  folders(chainId: ChainId | undefined): readonly string[] {
    const folders = this.#table.chain(chainId).map(({ folder }) => this.#paths.layerDiff(folder));
    return folders.length === 0 ? [this.#paths.layerDiff(0)] : folders;
  }

  /** Keep a layer, there already or not, from `collect` until disposal. */
  hold(chainId: ChainId): Disposable {
    return this.#holds.hold(chainId);
  }

  /** These are wanted in a moment: what will unpack one that is not there gets ready. */
  expect(chainIds: readonly ChainId[]): void {
    expectLayers(chainIds.filter((chainId) => !this.has(chainId)).length);
  }

  /**
   * The layer of an archive on top of `parent`, unpacked unless it is there. When several ask at once, one unpacks.
   *
   * @throws {Fault} `data-loss` when the archive is not `diffId`, else as `unpackLayer`. Nothing stays behind.
   */
  async unpack(request: UnpackRequest): Promise<HeldLayer<SealedLayer>> {
    const { diffId, parent, blob } = request;
    if (diffId === undefined) {
      const made = await this.#unpack(request);
      const chainId = chainIdOf(made.diffId, parent);
      const hold = this.hold(chainId);
      return await this.#busy.run(chainId, () => this.#publish(request, { made, hold }));
    }
    const chainId = chainIdOf(diffId, parent);
    const hold = this.hold(chainId);
    try {
      const work = async () => {
        const existing = this.#table.find(chainId);
        if (existing === undefined)
          return await this.#publish(request, { made: await this.#unpack(request), hold });
        // What claims to be this layer must be it, or images would keep content that nobody checked.
        if (blob.digest !== existing.blob && (blob.digest !== diffId || blob.arrival !== undefined)) {
          await verifyArchive(request.blob, { ...request, diffId, limits: this.#limits });
        }
        return heldLayer(this.#sealed(chainId), hold);
      };
      return await this.#busy.run(chainId, work, request.signal);
    } catch (error) {
      hold[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * A folder as a layer, taken from where it is; without an archive. Where there is that layer already, the folder stays.
   *
   * @throws {Fault} `not-found` for the layer below, `resource-exhausted`
   */
  async make({ path, sizeBytes, parent, name }: MadeFolder): Promise<HeldLayer> {
    const chainId = chainIdOf(name, parent);
    const hold = this.hold(chainId);
    return await this.#busy.run(chainId, async () => {
      const ingest = this.#paths.ingestedLayer(randomUUID());
      try {
        this.#table.chain(parent);
        const existing = this.#table.find(chainId);
        if (existing !== undefined) return heldLayer(existing, hold);
        await mkdir(ingest, { mode: 0o755 });
        await rename(path, join(ingest, "diff"));
        const layer = { chainId, ...(parent !== undefined && { parent }), made: name, sizeBytes };
        return heldLayer(await this.#place(ingest, layer), hold);
      } catch (error) {
        hold[Symbol.dispose]();
        await this.#trash.discard(ingest);
        throw diskFault(error, this.#paths.root);
      }
    });
  }

  /** Layers of a chain that have no archive yet, and their folders. @throws {Fault} `not-found` */
  unsealed(chainId: ChainId): readonly { readonly chainId: ChainId; readonly folder: string }[] {
    const layers = this.#table.chain(chainId).filter(({ blob }) => blob === undefined);
    return layers.map((layer) => ({ chainId: layer.chainId, folder: this.#paths.layerDiff(layer.folder) }));
  }

  /** A blob that makes a layer of that digest. */
  findArchive(diffId: Digest): Digest | undefined {
    return this.#table.list().find((layer) => layer.diffId === diffId)?.blob;
  }

  /** From now on a layer has a digest, and a blob that makes it again. @throws {Fault} `not-found` */
  seal(chainId: ChainId, archive: { readonly diffId: Digest; readonly blob: Digest }): void {
    this.#table.seal(this.#table.get(chainId).folder, archive);
  }

  /** Of the layers that are sealed with all below them, the chain ids by which others know them. */
  sealedNames(): ReadonlyMap<ChainId, ChainId> {
    return this.#table.sealedNames();
  }

  /** A chain that is sealed, under the chain ids by which others know it. Held until disposal. @throws {Fault} `not-found` */
  placeSealed(chainId: ChainId): HeldLayer<SealedLayer> {
    const chain = this.#table.chain(chainId).toReversed();
    const placed = this.#table.place(chain, { isSealed: true })?.chainId ?? chainId;
    return heldLayer(this.#sealed(placed), this.hold(placed));
  }

  /**
   * Layers that are there, lowest first, as one chain on top of nothing: nothing is copied, a layer in another place shares its
   * folder. Of a layer that comes twice the upper one counts: it hides all that the lower one shows. Held until disposal.
   *
   * @returns `undefined` for no layers
   * @throws {Fault} `not-found`
   */
  stack(chainIds: readonly ChainId[]): HeldLayer | undefined {
    const wanted = chainIds.map((chainId) => this.#table.get(chainId));
    const isLast = (one: StoredLayer, at: number) =>
      wanted.findLastIndex((other) => isSameContent(one, other)) === at;
    const top = this.#table.place(wanted.filter(isLast), { isSealed: false });
    return top && heldLayer(top, this.hold(top.chainId));
  }

  /** Layers that somebody holds, and those below them. */
  held(): ReadonlySet<ChainId> {
    return this.#table.withThoseBelow(this.#holds.keys());
  }

  /**
   * Remove layers that nothing refers to any more, topmost first, and folders of which there is another.
   *
   * @param references.mounted layers that may be mounted
   * @param references.kept others that somebody refers to
   * @returns layers whose content is gone, as others know them
   */
  async collect({
    mounted,
    kept,
  }: {
    readonly mounted: readonly ChainId[];
    readonly kept: readonly ChainId[];
  }): Promise<readonly ChainId[]> {
    // Nothing is waited for before the rows are gone: what somebody refers to meanwhile is not in what was given.
    const open = this.#table.withThoseBelow([...mounted, ...this.#holds.keys()]);
    const doubles = this.#table.doubles(open);
    this.#table.shareFolders(doubles);
    const live = this.#table.withThoseBelow([...mounted, ...kept, ...this.#holds.keys()]);
    const depthOf = ({ chainId }: Layer) => this.#table.chain(chainId).length;
    const dead = this.#table.list().filter(({ chainId }) => !live.has(chainId));
    dead.sort((a, b) => depthOf(b) - depthOf(a));
    this.#table.remove(dead, () => this.#reach("layer.forgotten"));
    const used = new Set(this.#table.list().map(({ folder }) => folder));
    const unused = new Set(dead.map(({ folder }) => folder).filter((folder) => !used.has(folder)));
    const folders = [...doubles.keys(), ...unused];
    if (folders.length === 0) return [];
    await Promise.all(folders.map((folder) => this.#trash.discard(this.#paths.layer(folder))));
    this.#reach("layer.discarded");
    return dead
      .filter(({ folder, made }) => unused.has(folder) && made === undefined)
      .map(({ chainId }) => chainId);
  }

  /** Blobs that layers can be made from again. */
  blobs(): ReadonlySet<Digest> {
    return new Set(this.#table.list().flatMap(({ blob }) => blob ?? []));
  }

  /**
   * Bring layers to the disk. Until then they survive a crash of the engine, but after a power cut they are made again from their
   * blobs, so nobody needs to wait for this; those that have none are gone then.
   */
  async sync(): Promise<void> {
    const pending = this.#table.unsynced();
    if (pending.length === 0) return;
    try {
      await syncFileSystem(this.#paths.layers);
    } catch (error) {
      this.#log.warn("cannot sync layers to disk", { error });
      return;
    }
    this.#table.markSynced(pending);
  }

  async #publish(
    { parent, blob }: UnpackRequest,
    { made, hold }: { readonly made: UnpackedFolder; readonly hold: Disposable },
  ): Promise<HeldLayer<SealedLayer>> {
    const chainId = chainIdOf(made.diffId, parent);
    const { diffId, sizeBytes } = made;
    try {
      if (!this.#table.has(chainId)) {
        const layer = { chainId, ...(parent !== undefined && { parent }), diffId, sizeBytes };
        await this.#place(made.folder, { ...layer, blob: blob.digest });
      }
      return heldLayer(this.#sealed(chainId), hold);
    } catch (error) {
      hold[Symbol.dispose]();
      throw diskFault(error, this.#paths.root);
    } finally {
      await this.#trash.discard(made.folder);
    }
  }

  /** Give a folder of the ingest folder its number and its row, unless there is that layer meanwhile: chains are placed at any time. */
  async #place(ingest: string, layer: Omit<StoredLayer, "number" | "folder">): Promise<StoredLayer> {
    const number = this.#table.takeNumber();
    await rename(ingest, this.#paths.layer(number));
    try {
      this.#reach("layer.placed");
      if (!this.#table.has(layer.chainId)) this.#table.add({ ...layer, number, folder: number });
      else await this.#trash.discard(this.#paths.layer(number));
    } catch (error) {
      await this.#trash.discard(this.#paths.layer(number));
      throw error;
    }
    this.#reach("layer.recorded");
    return this.#table.get(layer.chainId);
  }

  #sealed(chainId: ChainId): SealedLayer {
    return { ...this.#table.get(chainId), diffId: this.archiveOf(chainId).diffId };
  }

  async #unpack(request: UnpackRequest): Promise<UnpackedFolder> {
    return await this.#unpacker.unpack(request, (chainId) => this.folders(chainId));
  }

  /** Put a layer's folder, which may have lost files, in its place again. */
  async #remake(chainId: ChainId): Promise<void> {
    const { parent, folder } = this.#table.get(chainId);
    const { diffId, blob: digest } = this.archiveOf(chainId);
    const info = await this.#content.get(digest);
    const blob: StagedBlob = {
      ...info,
      open: () => this.#content.openFile(info.digest),
      commit: async () => {},
      [Symbol.asyncDispose]: async () => {},
    };
    const made = await this.#unpack({ parent, diffId, blob });
    await this.#trash.discard(this.#paths.layer(folder));
    await rename(made.folder, this.#paths.layer(folder));
    this.#table.markRemade(folder);
  }
}

/** Whether one hides all of the other. */
function isSameContent(one: StoredLayer, other: StoredLayer): boolean {
  return one.folder === other.folder || (one.diffId !== undefined && one.diffId === other.diffId);
}

function heldLayer<L extends Layer>(layer: L, hold: Disposable): HeldLayer<L> {
  return { layer, [Symbol.dispose]: () => hold[Symbol.dispose]() };
}
