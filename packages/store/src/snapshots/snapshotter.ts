import { mkdir, readdir } from "node:fs/promises";
import { type ChainId, parseChainId } from "@hawser/oci";
import type { Database } from "../database.ts";
import { diskFault } from "../disk-fault.ts";
import { storeFaults } from "../faults.ts";
import type { HeldLayer, LayerStore } from "../layers/layer-store.ts";
import type { StorePaths } from "../paths.ts";
import type { ReachStoreStep } from "../steps.ts";
import type { Trash } from "../trash.ts";

/** The folders of an overlay mount, all absolute. */
export interface OverlayMount {
  /** Topmost first, at least one. */
  readonly lower: readonly string[];
  readonly upper: string;
  readonly work: string;
}

interface StoredSnapshot {
  readonly key: string;
  readonly number: number;
  readonly parent?: ChainId;
}

/**
 * Writable layers, each known by a key that its owner chooses (a container's id), on top of an image's layers, which it
 * keeps. Whoever mounts a snapshot unmounts it before it is removed.
 */
export class Snapshotter {
  readonly #database: Database;
  readonly #layers: LayerStore;
  readonly #paths: StorePaths;
  readonly #trash: Trash;
  readonly #collect: () => Promise<void>;
  readonly #now: () => Date;
  readonly #reach: ReachStoreStep;
  readonly #snapshots = new Map<string, StoredSnapshot>();
  readonly #preparing = new Set<string>();
  #nextNumber = 1;

  constructor(parts: {
    readonly database: Database;
    readonly layers: LayerStore;
    readonly paths: StorePaths;
    readonly trash: Trash;
    /** Called when a snapshot is gone: layers may be free. */
    readonly collect: () => Promise<void>;
    readonly now: () => Date;
    readonly reach: ReachStoreStep;
  }) {
    this.#reach = parts.reach;
    this.#database = parts.database;
    this.#layers = parts.layers;
    this.#paths = parts.paths;
    this.#trash = parts.trash;
    this.#collect = parts.collect;
    this.#now = parts.now;
  }

  /** Read what is there, throw away what a crash left. */
  async recover(): Promise<void> {
    for (const row of this.#database.all("SELECT * FROM snapshots")) {
      const snapshot: StoredSnapshot = {
        key: String(row["key"]),
        number: Number(row["number"]),
        ...(row["parent"] !== null && { parent: parseChainId(String(row["parent"])) }),
      };
      this.#snapshots.set(snapshot.key, snapshot);
      this.#nextNumber = Math.max(this.#nextNumber, snapshot.number + 1);
    }
    const known = new Set([...this.#snapshots.values()].map((snapshot) => String(snapshot.number)));
    for (const name of await readdir(this.#paths.snapshots)) {
      if (!/^[0-9]+$/.test(name)) continue;
      this.#nextNumber = Math.max(this.#nextNumber, Number(name) + 1);
      if (!known.has(name)) await this.#trash.discard(this.#paths.snapshot(Number(name)));
    }
  }

  /**
   * Make an empty writable layer on top of `parent`; without one on nothing.
   *
   * @throws {Fault} `already-exists` when `key` is taken, `not-found` when `parent` is no layer of the store,
   * `resource-exhausted` when the disk is full. Nothing stays behind.
   */
  async prepare(key: string, parent?: ChainId): Promise<OverlayMount> {
    if (this.#snapshots.has(key) || this.#preparing.has(key)) throw storeFaults.SNAPSHOT_EXISTS(key);
    this.#layers.folders(parent);
    using _hold = parent === undefined ? undefined : this.#layers.hold(parent);
    const number = this.#nextNumber++;
    this.#preparing.add(key);
    try {
      await mkdir(this.#paths.snapshot(number), { mode: 0o700 });
      await Promise.all([
        mkdir(this.#paths.snapshotDiff(number), { mode: 0o755 }),
        mkdir(this.#paths.snapshotWork(number), { mode: 0o700 }),
      ]);
      this.#reach("snapshot.made");
      this.#database.run(
        "INSERT INTO snapshots (key, number, parent, created_ms) VALUES (?, ?, ?, ?)",
        key,
        number,
        parent ?? null,
        this.#now().getTime(),
      );
      this.#reach("snapshot.recorded");
      this.#snapshots.set(key, { key, number, ...(parent !== undefined && { parent }) });
    } catch (error) {
      await this.#trash.discard(this.#paths.snapshot(number));
      throw diskFault(error, this.#paths.root);
    } finally {
      this.#preparing.delete(key);
    }
    return this.get(key);
  }

  /** @throws {Fault} `not-found` */
  get(key: string): OverlayMount {
    const snapshot = this.#snapshots.get(key);
    if (snapshot === undefined) throw storeFaults.SNAPSHOT_NOT_FOUND(key);
    return {
      lower: this.#layers.folders(snapshot.parent),
      upper: this.#paths.snapshotDiff(snapshot.number),
      work: this.#paths.snapshotWork(snapshot.number),
    };
  }

  /** All keys. */
  list(): readonly string[] {
    return [...this.#snapshots.keys()];
  }

  /** Layers that snapshots lie on. */
  parents(): readonly ChainId[] {
    return [...this.#snapshots.values()].flatMap(({ parent }) => parent ?? []);
  }

  /** Overlay's lower folders of an image, topmost first. @throws {Fault} `not-found` */
  lowerFolders(chainId: ChainId | undefined): readonly string[] {
    return this.#layers.folders(chainId);
  }

  /** @see LayerStore.stack */
  stackLayers(chainIds: readonly ChainId[]): HeldLayer | undefined {
    return this.#layers.stack(chainIds);
  }

  /** Remove the writable layer, and layers that only it kept. No such snapshot is fine. It must not be mounted. */
  async remove(key: string): Promise<void> {
    const snapshot = this.#snapshots.get(key);
    if (snapshot === undefined) return;
    this.#database.run("DELETE FROM snapshots WHERE key = ?", key);
    this.#reach("snapshot.forgotten");
    this.#snapshots.delete(key);
    await this.#trash.discard(this.#paths.snapshot(snapshot.number));
    this.#reach("snapshot.discarded");
    await this.#collect();
  }
}
