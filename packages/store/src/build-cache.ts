import { type ChainId, parseChainId } from "@hawser/oci";
import type { Database, Row } from "./database.ts";
import type { LayerStore } from "./layers/layer-store.ts";

/** What a step of a build once made. */
export interface BuildRecord {
  /** What it was made of: the same key, the same result. */
  readonly key: string;
  /** Topmost layer of the result; absent: an empty file system. */
  readonly chainId?: ChainId;
  /** The layer below; the record's own size is what lies between. */
  readonly parent?: ChainId;
  readonly description: string;
  readonly createdAtMs: number;
  readonly lastUsedMs: number;
  readonly useCount: number;
}

/**
 * Results of build steps by key. A record keeps its layers; whoever removes records collects the images' store afterwards. A
 * record whose layers are lost is none.
 */
export class BuildCache {
  readonly #database: Database;
  readonly #layers: LayerStore;
  readonly #now: () => Date;
  readonly #records = new Map<string, BuildRecord>();

  constructor(parts: { readonly database: Database; readonly layers: LayerStore; readonly now: () => Date }) {
    this.#database = parts.database;
    this.#layers = parts.layers;
    this.#now = parts.now;
  }

  /** Read what is there. */
  recover(): void {
    for (const row of this.#database.all("SELECT * FROM build_cache")) {
      const record = recordOf(row);
      if (record.chainId === undefined || this.#layers.has(record.chainId))
        this.#records.set(record.key, record);
      else this.#database.run("DELETE FROM build_cache WHERE key = ?", record.key);
    }
  }

  /** Newest use first. */
  list(): readonly BuildRecord[] {
    return [...this.#records.values()].toSorted((a, b) => b.lastUsedMs - a.lastUsedMs);
  }

  /** Layers that records keep. */
  chainIds(): readonly ChainId[] {
    return [...this.#records.values()].flatMap(({ chainId }) => chainId ?? []);
  }

  /** Keys of the records whose layers somebody works with now. */
  inUse(): ReadonlySet<string> {
    const held = this.#layers.held();
    const isHeld = ({ chainId }: BuildRecord) => chainId !== undefined && held.has(chainId);
    return new Set([...this.#records.values()].filter(isHeld).map(({ key }) => key));
  }

  /** A result, which counts as used. */
  use(key: string): BuildRecord | undefined {
    const record = this.#records.get(key);
    if (record === undefined) return undefined;
    const used = { ...record, lastUsedMs: this.#now().getTime(), useCount: record.useCount + 1 };
    this.#records.set(key, used);
    this.#database.run(
      "UPDATE build_cache SET last_used_ms = ?, use_count = ? WHERE key = ?",
      used.lastUsedMs,
      used.useCount,
      key,
    );
    return used;
  }

  /** Keep a result. The caller holds its layers until then. */
  put(record: Pick<BuildRecord, "key" | "chainId" | "parent" | "description">): void {
    const nowMs = this.#now().getTime();
    const whole = { ...record, createdAtMs: nowMs, lastUsedMs: nowMs, useCount: 1 };
    this.#database.run(
      "INSERT OR REPLACE INTO build_cache (key, chain_id, parent, description, created_ms, last_used_ms, use_count) VALUES (?, ?, ?, ?, ?, ?, ?)",
      whole.key,
      whole.chainId ?? null,
      whole.parent ?? null,
      whole.description,
      whole.createdAtMs,
      whole.lastUsedMs,
      whole.useCount,
    );
    this.#records.set(record.key, whole);
  }

  remove(keys: Iterable<string>): void {
    this.#database.durably(() => {
      for (const key of keys) {
        this.#database.run("DELETE FROM build_cache WHERE key = ?", key);
        this.#records.delete(key);
      }
    });
  }

  /** Bytes of the layers that the record adds to what is below it. */
  sizeOf({ chainId, parent }: BuildRecord): number {
    let bytes = 0;
    for (const layer of this.#layers.chain(chainId)) {
      if (layer.chainId === parent) break;
      bytes += layer.sizeBytes;
    }
    return bytes;
  }
}

function recordOf(row: Row): BuildRecord {
  return {
    key: String(row["key"]),
    ...(row["chain_id"] !== null && { chainId: parseChainId(String(row["chain_id"])) }),
    ...(row["parent"] !== null && { parent: parseChainId(String(row["parent"])) }),
    description: String(row["description"]),
    createdAtMs: Number(row["created_ms"]),
    lastUsedMs: Number(row["last_used_ms"]),
    useCount: Number(row["use_count"]),
  };
}
