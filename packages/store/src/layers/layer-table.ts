import { type ChainId, chainIdOf, type Digest, parseChainId, parseDigest } from "@hawser/oci";
import type { Database, Row } from "../database.ts";
import { storeFaults } from "../faults.ts";

/** A layer on top of its parents. */
export interface Layer {
  /** Of one that was made here, and of what lies on it: a name of its own, until it is sealed and has another one for others. */
  readonly chainId: ChainId;
  readonly parent?: ChainId;
  /** Absent: nothing has needed an archive of it yet. */
  readonly diffId?: Digest;
  /** Of the files' data. */
  readonly sizeBytes: number;
}

/** A layer as others know it: by what its archive hashes to. */
export interface SealedLayer extends Layer {
  readonly diffId: Digest;
}

export interface StoredLayer extends Layer {
  readonly number: number;
  /** Of its folder: its own number, or that of a layer with the same content, perhaps gone by now. */
  readonly folder: number;
  /** In its chain id, what stands for the digest that nobody knew when it was made here; absent: it came as an archive. */
  readonly made?: Digest;
  /** An archive of the content store that makes the layer again; absent: there is none yet. */
  readonly blob?: Digest;
}

/** What makes a layer's chain id, with its parent's. */
export function ownName({ made, diffId }: Pick<StoredLayer, "made" | "diffId">): Digest {
  const name = made ?? diffId;
  if (name === undefined) throw new Error("a layer was made here, or it came as an archive");
  return name;
}

/** The rows of the layers, and all of them at hand. */
export class LayerTable {
  readonly #database: Database;
  /** Names this run of the kernel. */
  readonly #bootId: string;
  readonly #layers = new Map<ChainId, StoredLayer>();
  #nextNumber = 1;

  constructor(database: Database, bootId: string) {
    this.#database = database;
    this.#bootId = bootId;
  }

  /**
   * Read what is there. Layers that a power cut may have damaged and that nothing can make again are forgotten, with those above them.
   *
   * @returns of each folder that may be damaged one of its layers; their archives make them again
   */
  recover(): readonly ChainId[] {
    for (const row of this.#database.all("SELECT * FROM layers")) {
      const layer = layerOf(row);
      this.#layers.set(layer.chainId, layer);
    }
    this.reserve(...[...this.#layers.values()].flatMap(({ number, folder }) => [number, folder]));
    const doubtful = this.#database
      .all("SELECT chain_id FROM layers WHERE synced = 0 AND boot <> ?", this.#bootId)
      .map((row) => parseChainId(String(row["chain_id"])));
    const lost = new Set(doubtful.filter((chainId) => this.get(chainId).blob === undefined));
    const isLost = ({ chainId }: StoredLayer) => this.chain(chainId).some((layer) => lost.has(layer.chainId));
    if (lost.size > 0) this.remove(this.list().filter(isLost));
    const left = doubtful.flatMap((chainId) => this.#layers.get(chainId) ?? []);
    // Of those that share it the one that it was written for, if that is there: it lies on what it was written on.
    const inOrder = [...left.filter((layer) => !isOwner(layer)), ...left.filter(isOwner)];
    return [...new Map(inOrder.map(({ folder, chainId }) => [folder, chainId])).values()];
  }

  list(): readonly StoredLayer[] {
    return [...this.#layers.values()];
  }

  has(chainId: ChainId): boolean {
    return this.#layers.has(chainId);
  }

  find(chainId: ChainId): StoredLayer | undefined {
    return this.#layers.get(chainId);
  }

  /** @throws {Fault} `not-found` */
  get(chainId: ChainId): StoredLayer {
    const layer = this.#layers.get(chainId);
    if (layer === undefined) throw storeFaults.LAYER_NOT_FOUND(chainId);
    return layer;
  }

  /** The layer and those below it, topmost first. @throws {Fault} `not-found` */
  chain(chainId: ChainId | undefined): readonly StoredLayer[] {
    const chain: StoredLayer[] = [];
    for (let id = chainId; id !== undefined; ) {
      const layer = this.get(id);
      chain.push(layer);
      id = layer.parent;
    }
    return chain;
  }

  /** These layers, there or not, and all below them. */
  withThoseBelow(topmost: Iterable<ChainId>): ReadonlySet<ChainId> {
    const found = new Set<ChainId>();
    for (const start of topmost) {
      let id: ChainId | undefined = start;
      for (; id !== undefined && !found.has(id); id = this.#layers.get(id)?.parent) found.add(id);
    }
    return found;
  }

  /** Of the layers that are sealed with all below them, the chain ids by which others know them. */
  sealedNames(): ReadonlyMap<ChainId, ChainId> {
    const names = new Map<ChainId, ChainId>();
    const unsealed = new Set<ChainId>();
    for (const { chainId } of this.#layers.values()) {
      for (const layer of this.chain(chainId).toReversed()) {
        if (names.has(layer.chainId) || unsealed.has(layer.chainId)) continue;
        const below = layer.parent && names.get(layer.parent);
        if (layer.diffId === undefined || (below === undefined) !== (layer.parent === undefined)) {
          unsealed.add(layer.chainId);
        } else {
          const isOwn = layer.made === undefined && below === layer.parent;
          names.set(layer.chainId, isOwn ? layer.chainId : chainIdOf(layer.diffId, below));
        }
      }
    }
    return names;
  }

  /** A number that no folder has had. */
  takeNumber(): number {
    return this.#nextNumber++;
  }

  /** These are taken. */
  reserve(...numbers: readonly number[]): void {
    for (const number of numbers) this.#nextNumber = Math.max(this.#nextNumber, number + 1);
  }

  /** A layer whose folder has just been written. */
  add(layer: StoredLayer): void {
    this.#database.run(
      "INSERT INTO layers (chain_id, number, folder, parent, made, diff_id, blob, size_bytes, boot, synced) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
      ...columnsOf(layer),
      this.#bootId,
    );
    this.#layers.set(layer.chainId, layer);
  }

  /**
   * Layers that are there, lowest first, as one chain on top of nothing: nothing is copied, a layer in another place shares its folder.
   *
   * @param options.isSealed under the chain ids by which others know them; else each is called as it is
   * @returns the topmost
   */
  place(
    layers: readonly StoredLayer[],
    { isSealed }: { readonly isSealed: boolean },
  ): StoredLayer | undefined {
    let top: StoredLayer | undefined;
    for (const { parent: _, made, ...layer } of layers) {
      const own = isSealed || made === undefined ? layer : { ...layer, made };
      const chainId = chainIdOf(ownName(own), top?.chainId);
      const below = top && { parent: top.chainId };
      top = this.#layers.get(chainId) ?? this.#share({ ...own, ...below, chainId }, layer.chainId);
    }
    return top;
  }

  /** From now on these are the digest and the archive of all layers of that folder. */
  seal(folder: number, { diffId, blob }: { readonly diffId: Digest; readonly blob: Digest }): void {
    this.#database.run(
      "UPDATE layers SET diff_id = ?, blob = ? WHERE coalesce(folder, number) = ?",
      diffId,
      blob,
      folder,
    );
    for (const layer of this.list()) {
      if (layer.folder === folder) this.#layers.set(layer.chainId, { ...layer, diffId, blob });
    }
  }

  /**
   * Folders of layers that were made here and turned out to be what there was already, each with one that has the same content.
   *
   * @param inUse layers whose folders may be open
   */
  doubles(inUse: ReadonlySet<ChainId>): ReadonlyMap<number, number> {
    const made = this.list().filter((layer) => layer.made !== undefined && layer.diffId !== undefined);
    if (made.length === 0) return new Map();
    const busy = new Set(this.list().flatMap(({ chainId, folder }) => (inUse.has(chainId) ? folder : [])));
    const own = new Set(made.map(({ folder }) => folder));
    const others = new Map(
      this.list().flatMap(({ diffId, folder }) => (diffId && !own.has(folder) ? [[diffId, folder]] : [])),
    );
    return new Map(
      made.flatMap(({ diffId, folder }): [number, number][] => {
        const other = diffId && others.get(diffId);
        return other === undefined || busy.has(folder) ? [] : [[folder, other]];
      }),
    );
  }

  /** Layers of the folders get the others in place of theirs. Durably. */
  shareFolders(doubles: ReadonlyMap<number, number>): void {
    if (doubles.size === 0) return;
    this.#database.durably(() => {
      for (const [folder, other] of doubles) {
        this.#database.run(
          "UPDATE layers SET (folder, boot, synced) = (SELECT ?, boot, synced FROM layers WHERE coalesce(folder, number) = ? ORDER BY synced LIMIT 1) WHERE coalesce(folder, number) = ?",
          other,
          other,
          folder,
        );
      }
    });
    for (const layer of this.list()) {
      const folder = doubles.get(layer.folder);
      if (folder !== undefined) this.#layers.set(layer.chainId, { ...layer, folder });
    }
  }

  /** From now on `blob` is what makes those layers again that `old` has made. */
  replaceBlob(old: Digest, blob: Digest): void {
    this.#database.run("UPDATE layers SET blob = ? WHERE blob = ?", blob, old);
    for (const layer of this.list()) {
      if (layer.blob === old) this.#layers.set(layer.chainId, { ...layer, blob });
    }
  }

  /** Durably. */
  remove(layers: readonly StoredLayer[], onForgotten: () => void = () => {}): void {
    if (layers.length === 0) return;
    this.#database.durably(() => {
      for (const { chainId } of layers) this.#database.run("DELETE FROM layers WHERE chain_id = ?", chainId);
    });
    onForgotten();
    for (const { chainId } of layers) this.#layers.delete(chainId);
  }

  /** Layers of this run of the kernel that are perhaps not on the disk yet. */
  unsynced(): readonly ChainId[] {
    return this.#database
      .all("SELECT chain_id FROM layers WHERE synced = 0 AND boot = ?", this.#bootId)
      .map((row) => parseChainId(String(row["chain_id"])));
  }

  markSynced(chainIds: readonly ChainId[]): void {
    for (const chainId of chainIds)
      this.#database.run("UPDATE layers SET synced = 1 WHERE chain_id = ?", chainId);
  }

  /** It was written again in this run of the kernel. */
  markRemade(folder: number): void {
    this.#database.run("UPDATE layers SET boot = ? WHERE coalesce(folder, number) = ?", this.#bootId, folder);
  }

  /** As much of it is on the disk as of the layer whose folder it shares. */
  #share(layer: Omit<StoredLayer, "number">, from: ChainId): StoredLayer {
    const shared: StoredLayer = { ...layer, number: this.takeNumber() };
    this.#database.run(
      "INSERT INTO layers (chain_id, number, folder, parent, made, diff_id, blob, size_bytes, boot, synced) SELECT ?, ?, ?, ?, ?, ?, ?, ?, boot, synced FROM layers WHERE chain_id = ?",
      ...columnsOf(shared),
      from,
    );
    this.#layers.set(shared.chainId, shared);
    return shared;
  }
}

function isOwner({ number, folder }: StoredLayer): boolean {
  return number === folder;
}

function columnsOf(layer: StoredLayer): readonly (string | number | null)[] {
  const { chainId, number, folder, parent, made, diffId, blob, sizeBytes } = layer;
  const otherFolder = isOwner(layer) ? null : folder;
  return [
    chainId,
    number,
    otherFolder,
    parent ?? null,
    made ?? null,
    diffId ?? null,
    blob ?? null,
    sizeBytes,
  ];
}

function layerOf(row: Row): StoredLayer {
  const { parent, made, diff_id: diffId, blob } = row;
  return {
    chainId: parseChainId(String(row["chain_id"])),
    ...(typeof parent === "string" && { parent: parseChainId(parent) }),
    ...(typeof made === "string" && { made: parseDigest(made) }),
    ...(typeof diffId === "string" && { diffId: parseDigest(diffId) }),
    ...(typeof blob === "string" && { blob: parseDigest(blob) }),
    sizeBytes: Number(row["size_bytes"]),
    number: Number(row["number"]),
    folder: Number(row["folder"] ?? row["number"]),
  };
}
