import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, rename } from "node:fs/promises";
import { abortable, Holds, KeyedMutex, type Logger, Semaphore } from "@hawser/base";
import { syncFileSystem } from "@hawser/linux";
import {
  type ChainId,
  chainIdOf,
  type Digest,
  digestAlgorithm,
  parseChainId,
  parseDigest,
} from "@hawser/oci";
import type { ContentStore, StagedBlob } from "../content/content-store.ts";
import type { Database } from "../database.ts";
import { diskFault } from "../disk-fault.ts";
import { storeFaults } from "../faults.ts";
import type { StoreLimits } from "../limits.ts";
import type { StorePaths } from "../paths.ts";
import type { ReachStoreStep } from "../steps.ts";
import type { Trash } from "../trash.ts";
import { decompress } from "./decompress.ts";
import {
  completeLayer,
  layersAtOnce,
  layerWorkers,
  type UnpackedLayer,
  unpackLayer,
} from "./unpack-layer.ts";

/** An unpacked layer on top of its parents. */
export interface Layer {
  readonly chainId: ChainId;
  readonly parent?: ChainId;
  readonly diffId: Digest;
  /** Of the files' data. */
  readonly sizeBytes: number;
}

interface StoredLayer extends Layer {
  readonly number: number;
  /** Of its folder: its own number, or that of a layer with the same content, perhaps gone by now. */
  readonly folder: number;
  /** An archive of the content store that makes the layer again. */
  readonly blob: Digest;
}

/** A layer that `collect` leaves alone until disposal. */
export interface HeldLayer extends Disposable {
  readonly layer: Layer;
}

export interface UnpackRequest {
  readonly parent: ChainId | undefined;
  /** The parent's own unpacking: this layer is published after it. */
  readonly after?: Promise<unknown>;
  /** What the archive must hash to when it is plain; `undefined`: whatever it is. */
  readonly diffId: Digest | undefined;
  readonly blob: StagedBlob;
  /** A folder in overlay's form that is what the plain archive says: it is taken, and nothing unpacked. */
  readonly made?: { readonly folder: string; readonly sizeBytes: number };
  readonly signal?: AbortSignal;
  readonly onProgress?: (readBytes: number) => void;
}

interface UnpackedFolder extends UnpackedLayer {
  /** In the ingest folder. */
  readonly folder: string;
}

/**
 * Unpacked layers by chain id: immutable folders in overlay's form. A layer is there when its row is; its folder is
 * whole then. A layer lives as long as an image, a snapshot, a child or a hold refers to it.
 */
export class LayerStore {
  readonly #database: Database;
  readonly #content: ContentStore;
  readonly #paths: StorePaths;
  readonly #trash: Trash;
  readonly #log: Logger;
  readonly #limits: StoreLimits;
  /** Names this run of the kernel. */
  readonly #bootId: string;
  readonly #reach: ReachStoreStep;

  readonly #layers = new Map<ChainId, StoredLayer>();
  readonly #holds = new Holds<ChainId>();
  readonly #busy = new KeyedMutex();
  readonly #workers = new Semaphore(layersAtOnce);
  #nextNumber = 1;

  constructor(parts: {
    readonly database: Database;
    readonly content: ContentStore;
    readonly paths: StorePaths;
    readonly trash: Trash;
    readonly log: Logger;
    readonly limits: StoreLimits;
    readonly bootId: string;
    readonly reach: ReachStoreStep;
  }) {
    this.#reach = parts.reach;
    this.#database = parts.database;
    this.#content = parts.content;
    this.#paths = parts.paths;
    this.#trash = parts.trash;
    this.#log = parts.log;
    this.#limits = parts.limits;
    this.#bootId = parts.bootId;
  }

  /** Read what is there, throw away what a crash left, make again what a power cut may have damaged. */
  async recover(): Promise<void> {
    await mkdir(this.#paths.layerDiff(0), { recursive: true, mode: 0o755 });
    for (const row of this.#database.all("SELECT * FROM layers")) {
      const layer: StoredLayer = {
        chainId: parseChainId(String(row["chain_id"])),
        ...(row["parent"] !== null && { parent: parseChainId(String(row["parent"])) }),
        diffId: parseDigest(String(row["diff_id"])),
        sizeBytes: Number(row["size_bytes"]),
        number: Number(row["number"]),
        folder: Number(row["folder"] ?? row["number"]),
        blob: parseDigest(String(row["blob"])),
      };
      this.#layers.set(layer.chainId, layer);
    }
    const stored = [...this.#layers.values()];
    const known = new Set([0, ...stored.map(({ folder }) => folder)]);
    for (const name of await readdir(this.#paths.layers)) {
      const number = /^[0-9]+$/.test(name) ? Number(name) : undefined;
      if (number === undefined) continue;
      this.#nextNumber = Math.max(this.#nextNumber, number + 1);
      if (!known.has(number)) await this.#trash.discard(this.#paths.layer(number));
    }
    const taken = [...known, ...stored.map(({ number }) => number)];
    this.#nextNumber = Math.max(this.#nextNumber, ...taken.map((number) => number + 1));
    const doubtful = this.#database.all(
      "SELECT chain_id FROM layers WHERE synced = 0 AND boot <> ?",
      this.#bootId,
    );
    for (const row of doubtful) {
      const chainId = parseChainId(String(row["chain_id"]));
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
    return this.#layers.has(chainId);
  }

  /** @throws {Fault} `not-found` */
  get(chainId: ChainId): Layer {
    return this.#get(chainId);
  }

  /** The blob whose archive makes a layer. @throws {Fault} `not-found` */
  blobOf(chainId: ChainId): Digest {
    return this.#get(chainId).blob;
  }

  /** From now on `blob`, another archive of the same content, is what makes the layer again. @throws {Fault} `not-found` */
  replaceBlob(chainId: ChainId, blob: Digest): void {
    const layer = this.#get(chainId);
    this.#database.run("UPDATE layers SET blob = ? WHERE chain_id = ?", blob, chainId);
    this.#layers.set(chainId, { ...layer, blob });
  }

  /** The layer and those below it, topmost first. @throws {Fault} `not-found` */
  chain(chainId: ChainId | undefined): readonly Layer[] {
    const chain: Layer[] = [];
    for (let id = chainId; id !== undefined; ) {
      const layer = this.#get(id);
      chain.push(layer);
      id = layer.parent;
    }
    return chain;
  }

  /** Overlay's lower folders for what lies at and below `chainId`, topmost first, never empty. @throws {Fault} `not-found` */
  folders(chainId: ChainId | undefined): readonly string[] {
    const folders = this.chain(chainId).map((layer) =>
      this.#paths.layerDiff(this.#get(layer.chainId).folder),
    );
    return folders.length === 0 ? [this.#paths.layerDiff(0)] : folders;
  }

  /** Keep a layer, there already or not, from `collect` until disposal. */
  hold(chainId: ChainId): Disposable {
    return this.#holds.hold(chainId);
  }

  /** These are wanted in a moment: what will unpack one that is not there gets ready. */
  expect(chainIds: readonly ChainId[]): void {
    if (chainIds.some((chainId) => !this.has(chainId))) layerWorkers.warm();
  }

  /**
   * The layer of an archive on top of `parent`, unpacked unless it is there. When several ask at once, one unpacks.
   *
   * @throws {Fault} `data-loss` when the archive is not `diffId`, else as `unpackLayer`. Nothing stays behind.
   */
  async unpack(request: UnpackRequest): Promise<HeldLayer> {
    const { diffId, parent, blob } = request;
    if (diffId === undefined) {
      const made = await this.#makeFolder(request);
      const chainId = chainIdOf(made.diffId, parent);
      const hold = this.hold(chainId);
      return await this.#busy.run(chainId, () => this.#publish(request, { made, hold }));
    }
    const chainId = chainIdOf(diffId, parent);
    const hold = this.hold(chainId);
    try {
      const work = async () => {
        const existing = this.#layers.get(chainId);
        if (existing === undefined)
          return await this.#publish(request, { made: await this.#makeFolder(request), hold });
        // What claims to be this layer must be it, or images would keep content that nobody checked.
        if (blob.digest !== existing.blob && (blob.digest !== diffId || blob.arrival !== undefined)) {
          await this.#verify(request);
        }
        return heldLayer(existing, hold);
      };
      return await this.#busy.run(chainId, work, request.signal);
    } catch (error) {
      hold[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Layers that are there, lowest first, as one chain on top of nothing: nothing is copied, a layer in another place shares its
   * folder. Of a layer that comes twice the upper one counts: it hides all that the lower one shows. Held until disposal.
   *
   * @returns `undefined` for no layers
   * @throws {Fault} `not-found`
   */
  stack(chainIds: readonly ChainId[]): HeldLayer | undefined {
    const wanted = chainIds.map((chainId) => this.#get(chainId));
    const isLast = ({ diffId }: StoredLayer, at: number) =>
      wanted.findLastIndex((layer) => layer.diffId === diffId) === at;
    let top: StoredLayer | undefined;
    for (const { parent: _, ...layer } of wanted.filter(isLast)) {
      const chainId = chainIdOf(layer.diffId, top?.chainId);
      const placed: StoredLayer = this.#layers.get(chainId) ?? {
        ...layer,
        chainId,
        ...(top && { parent: top.chainId }),
        number: this.#nextNumber++,
      };
      if (!this.#layers.has(chainId)) this.#record(placed);
      top = placed;
    }
    return top && heldLayer(top, this.hold(top.chainId));
  }

  /** Layers that somebody holds, and those below them. */
  held(): ReadonlySet<ChainId> {
    return this.#withThoseBelow(this.#holds.keys());
  }

  /** Remove layers that nothing refers to any more, topmost first. Returns them. */
  async collect(referenced: Iterable<ChainId>): Promise<readonly ChainId[]> {
    const live = this.#withThoseBelow([...referenced, ...this.#holds.keys()]);
    const dead = [...this.#layers.values()].filter((layer) => !live.has(layer.chainId));
    if (dead.length === 0) return [];
    dead.sort((a, b) => this.#depth(b) - this.#depth(a));
    this.#database.durably(() => {
      for (const { chainId } of dead) this.#database.run("DELETE FROM layers WHERE chain_id = ?", chainId);
    });
    this.#reach("layer.forgotten");
    for (const { chainId } of dead) this.#layers.delete(chainId);
    const used = new Set([...this.#layers.values()].map(({ folder }) => folder));
    const unused = new Set(dead.map(({ folder }) => folder).filter((folder) => !used.has(folder)));
    await Promise.all([...unused].map((folder) => this.#trash.discard(this.#paths.layer(folder))));
    this.#reach("layer.discarded");
    return dead.map((layer) => layer.chainId);
  }

  /** Blobs that layers can be made from again. */
  blobs(): ReadonlySet<Digest> {
    return new Set([...this.#layers.values()].map((layer) => layer.blob));
  }

  /**
   * Bring what was unpacked to the disk. Until then layers survive a crash of the engine, but after a power cut they are
   * made again from their blobs, so nobody needs to wait for this.
   */
  async sync(): Promise<void> {
    const pending = this.#database.all(
      "SELECT chain_id FROM layers WHERE synced = 0 AND boot = ?",
      this.#bootId,
    );
    if (pending.length === 0) return;
    try {
      await syncFileSystem(this.#paths.layers);
    } catch (error) {
      this.#log.warn("cannot sync layers to disk", { error });
      return;
    }
    for (const row of pending) {
      this.#database.run("UPDATE layers SET synced = 1 WHERE chain_id = ?", String(row["chain_id"]));
    }
  }

  async #publish(
    { parent, blob }: UnpackRequest,
    { made, hold }: { readonly made: UnpackedFolder; readonly hold: Disposable },
  ): Promise<HeldLayer> {
    const chainId = chainIdOf(made.diffId, parent);
    const existing = this.#layers.get(chainId);
    try {
      if (existing !== undefined) return heldLayer(existing, hold);
      const number = this.#nextNumber++;
      const layer: StoredLayer = {
        chainId,
        ...(parent !== undefined && { parent }),
        diffId: made.diffId,
        sizeBytes: made.sizeBytes,
        number,
        folder: number,
        blob: blob.digest,
      };
      await rename(made.folder, this.#paths.layer(number));
      this.#reach("layer.placed");
      const stacked = this.#layers.get(chainId);
      if (stacked !== undefined) {
        await this.#trash.discard(this.#paths.layer(number));
        return heldLayer(stacked, hold);
      }
      try {
        this.#record(layer);
      } catch (error) {
        await this.#trash.discard(this.#paths.layer(number));
        throw error;
      }
      this.#reach("layer.recorded");
      return heldLayer(layer, hold);
    } catch (error) {
      hold[Symbol.dispose]();
      throw diskFault(error, this.#paths.root);
    } finally {
      await this.#trash.discard(made.folder);
    }
  }

  #record(layer: StoredLayer): void {
    const { chainId, number, folder, parent, diffId, sizeBytes, blob } = layer;
    this.#database.run(
      "INSERT INTO layers (chain_id, number, folder, parent, diff_id, size_bytes, blob, boot, synced) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
      chainId,
      number,
      folder === number ? null : folder,
      parent ?? null,
      diffId,
      sizeBytes,
      blob,
      this.#bootId,
    );
    this.#layers.set(chainId, layer);
  }

  async #makeFolder(request: UnpackRequest): Promise<UnpackedFolder> {
    const { diffId, parent, after, made } = request;
    const name = randomUUID();
    const folder = this.#paths.ingestedLayer(name);
    const diff = this.#paths.ingestedLayerDiff(name);
    try {
      await mkdir(diff, { recursive: true, mode: 0o755 });
      const unpacked =
        made === undefined
          ? await this.#unpackInto(diff, request)
          : await takeFolder(made, diff, request.blob);
      if (unpacked.archiveDigest !== undefined) request.blob.arrival?.verify(unpacked.archiveDigest);
      if (diffId !== undefined && unpacked.diffId !== diffId) {
        throw storeFaults.LAYER_DIGEST_MISMATCH(diffId, unpacked.diffId);
      }
      await request.blob.commit();
      await after;
      const below = parent === undefined ? [] : this.folders(parent);
      await completeLayer(unpacked, { folder: diff, below, signal: request.signal });
      return { ...unpacked, folder };
    } catch (error) {
      await this.#trash.discard(folder);
      throw diskFault(error, this.#paths.root);
    }
  }

  async #unpackInto(folder: string, { blob, signal, onProgress }: UnpackRequest): Promise<UnpackedLayer> {
    const stop = eitherSignal(signal, blob.arrival?.broken);
    using _slot = await this.#workers.acquire(stop);
    await using file = await blob.open();
    const { digest, sizeBytes, arrival, isFresh } = blob;
    return await unpackLayer(file, {
      folder,
      limits: this.#limits,
      ...(isFresh === true && { digest }),
      ...(arrival && { arriving: { digest, sizeBytes, arrival } }),
      ...(stop && { signal: stop }),
      ...(onProgress && { onProgress }),
    });
  }

  async #verify({ blob, diffId, signal }: UnpackRequest): Promise<void> {
    if (blob.arrival !== undefined) await abortable(blob.arrival.complete, signal);
    await using file = await blob.open();
    const hash = createHash("sha256");
    const stream = file.createReadStream({
      autoClose: false,
      highWaterMark: 1 << 20,
      ...(signal && { signal }),
    });
    const algorithm = digestAlgorithm(blob.digest);
    const archiveHash = createHash(algorithm);
    const archive = async function* () {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        archiveHash.update(chunk);
        yield chunk;
      }
    };
    for await (const chunk of decompress(archive(), this.#limits)) hash.update(chunk);
    blob.arrival?.verify(parseDigest(`${algorithm}:${archiveHash.digest("hex")}`));
    const is = `sha256:${hash.digest("hex")}`;
    if (is !== diffId) throw storeFaults.LAYER_DIGEST_MISMATCH(String(diffId), is);
  }

  /** Put a layer's folder, which may have lost files, in its place again. */
  async #remake(chainId: ChainId): Promise<void> {
    const layer = this.#get(chainId);
    const info = await this.#content.get(layer.blob);
    const blob: StagedBlob = {
      ...info,
      open: () => this.#content.openFile(info.digest),
      commit: async () => {},
      [Symbol.asyncDispose]: async () => {},
    };
    const made = await this.#makeFolder({ parent: layer.parent, diffId: layer.diffId, blob });
    await this.#trash.discard(this.#paths.layer(layer.folder));
    await rename(made.folder, this.#paths.layer(layer.folder));
    this.#database.run("UPDATE layers SET boot = ? WHERE chain_id = ?", this.#bootId, chainId);
  }

  #get(chainId: ChainId): StoredLayer {
    const layer = this.#layers.get(chainId);
    if (layer === undefined) throw storeFaults.LAYER_NOT_FOUND(chainId);
    return layer;
  }

  #withThoseBelow(topmost: Iterable<ChainId>): ReadonlySet<ChainId> {
    const found = new Set<ChainId>();
    for (const start of topmost) {
      let id: ChainId | undefined = start;
      for (; id !== undefined && !found.has(id); id = this.#layers.get(id)?.parent) found.add(id);
    }
    return found;
  }

  #depth(layer: Layer): number {
    return this.chain(layer.chainId).length;
  }
}

/** In place of an empty folder. */
async function takeFolder(
  { folder, sizeBytes }: NonNullable<UnpackRequest["made"]>,
  place: string,
  { digest }: StagedBlob,
): Promise<UnpackedLayer> {
  await rename(folder, place);
  return { diffId: digest, sizeBytes, implicitFolders: [] };
}

function eitherSignal(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a !== undefined && b !== undefined ? AbortSignal.any([a, b]) : (a ?? b);
}

function heldLayer(layer: Layer, hold: Disposable): HeldLayer {
  return { layer, [Symbol.dispose]: () => hold[Symbol.dispose]() };
}
