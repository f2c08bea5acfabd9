import { type Logger, Semaphore } from "@hawser/base";
import { isDigest } from "@hawser/oci";
import type { IndexChange, IndexRecord, RecordKind } from "./index-changes.ts";
import type { RegistryIndex } from "./registry-index.ts";
import type { S3Bucket, S3Object } from "./s3-bucket.ts";

/** Requests for records at once. */
const atOnce = 16;

const folders = { link: "links", manifest: "manifests", tag: "tags" } as const satisfies Record<
  RecordKind,
  string
>;

/**
 * The index once more, in the bucket: one small object for each thing that a repository has, so that a registry with an empty folder
 * can go on with the bucket.
 *
 *     index/links/<repository>/<algorithm>-<hex>       empty: the repository has this blob
 *     index/manifests/<repository>/<algorithm>-<hex>   JSON: what the index knows of a manifest
 *     index/tags/<repository>/<tag>                    the digest that it means
 *
 * The index notes each change with the change itself; here it is written down before whoever asked for it is told.
 */
export class IndexRecords {
  readonly #bucket: S3Bucket;
  readonly #index: RegistryIndex;
  readonly #requireOwn: () => Promise<void>;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  /** @param parts.requireOwn throws when the bucket is another's now */
  constructor(
    bucket: S3Bucket,
    parts: { readonly index: RegistryIndex; readonly requireOwn: () => Promise<void> },
  ) {
    this.#bucket = bucket;
    this.#index = parts.index;
    this.#requireOwn = parts.requireOwn;
  }

  /**
   * Until all that has changed before is in the bucket. Those who come while it is written share the next turn.
   *
   * @throws {Fault} `unavailable`; the changes stay noted
   */
  async settle(): Promise<void> {
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        this.#running = this.#write();
        return this.#running;
      });
    await this.#next;
  }

  async #write(): Promise<void> {
    const { changes, upTo } = this.#index.listChanges();
    if (upTo === 0) return;
    await this.#requireOwn();
    // A tag is never there before its manifest, nor a manifest before its blobs; they go the other way round.
    for (const kind of ["tag", "manifest", "link"] as const)
      await this.#writeAll(changes.filter((change) => change.kind === kind && change.value === undefined));
    for (const kind of ["link", "manifest", "tag"] as const)
      await this.#writeAll(changes.filter((change) => change.kind === kind && change.value !== undefined));
    this.#index.forgetChanges(upTo);
  }

  async #writeAll(changes: readonly IndexChange[]): Promise<void> {
    await forEachAtOnce(changes, async (change) => {
      if (change.value === undefined) await this.#bucket.remove(keyOf(change));
      else await this.#bucket.put(keyOf(change), change.value);
    });
  }
}

/**
 * What the index of another registry was, as far as its blobs are there.
 *
 * @throws {Fault} `unavailable`
 */
export async function readRecords(bucket: S3Bucket, log: Logger): Promise<readonly IndexRecord[]> {
  const blobs = new Set<string>();
  for await (const { key } of bucket.list("blobs/")) blobs.add(key.split("/").at(-1) ?? "");
  const found: { readonly record: Omit<IndexRecord, "value">; readonly key: string }[] = [];
  let lost = 0;
  for await (const object of bucket.list("index/")) {
    const record = recordOf(object);
    if (record === undefined) continue;
    const isThere = record.kind === "tag" || blobs.has(record.key.split(":")[1] ?? "");
    if (isThere) found.push({ record, key: object.key });
    else lost += 1;
  }
  const records: IndexRecord[] = [];
  await forEachAtOnce(found, async ({ record, key }) => {
    const value = record.kind === "link" ? "" : await bucket.get(key);
    if (value !== undefined) records.push({ ...record, value });
  });
  const placeOf = (repository: string, digest: string) => `${repository}@${digest}`;
  const manifests = new Set(
    records.flatMap(({ kind, repository, key }) => (kind === "manifest" ? [placeOf(repository, key)] : [])),
  );
  const whole = records.filter(
    ({ kind, repository, value }) => kind !== "tag" || manifests.has(placeOf(repository, value)),
  );
  lost += records.length - whole.length;
  if (lost > 0)
    log.warn("some records of the bucket are of what is not in it", { bucket: bucket.name, lost });
  return whole;
}

function keyOf({ kind, repository, key }: Omit<IndexRecord, "value">): string {
  return `index/${folders[kind]}/${repository}/${key.replace(":", "-")}`;
}

function recordOf({ key }: S3Object): Omit<IndexRecord, "value"> | undefined {
  const [, folder, repository, name] = /^index\/([a-z]+)\/(.+)\/([^/]+)$/.exec(key) ?? [];
  const kind = (["link", "manifest", "tag"] as const).find((its) => folders[its] === folder);
  if (kind === undefined || repository === undefined || name === undefined) return undefined;
  if (kind === "tag") return { kind, repository, key: name };
  const digest = name.replace("-", ":");
  return isDigest(digest) ? { kind, repository, key: digest } : undefined;
}

async function forEachAtOnce<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const places = new Semaphore(atOnce);
  await Promise.all(
    items.map(async (item) => {
      using _place = await places.acquire();
      await act(item);
    }),
  );
}
