import type { Logger } from "@hawser/base";
import {
  type ChainId,
  chainIdsOf,
  type Digest,
  formatReference,
  type ImageConfig,
  parseDigest,
  parseImageConfig,
  parseReference,
  type Reference,
} from "@hawser/oci";
import type { ContentStore } from "../content/content-store.ts";
import type { Database } from "../database.ts";

/** What is known of an image apart from its names. */
export interface ImageRecord {
  readonly id: Digest;
  readonly manifestDigest?: Digest;
  readonly config: ImageConfig;
  /** Chain ids of its layers, lowest first. */
  readonly chainIds: readonly ChainId[];
  /** Blobs of the content store that it keeps; its configuration is one. */
  readonly blobs: readonly Digest[];
}

export interface ImageName {
  /** With a tag or a digest, not both. */
  readonly reference: Reference;
  readonly image: Digest;
  readonly taggedAt: Date;
  /** An index of the image and of what is said of it; the image keeps its blobs. */
  readonly attested?: Digest;
}

/** What an image is called from now on. */
export interface NewName {
  /** With a tag or a digest, not both. */
  readonly reference: Reference;
  readonly attested?: Digest | undefined;
}

/** Which images there are and what they are called: in memory for reading, written through to the database. */
export class ImageIndex {
  readonly #database: Database;
  readonly #now: () => Date;
  /** Images whose configuration cannot be read. */
  readonly #damaged = new Set<Digest>();
  readonly #images = new Map<Digest, ImageRecord>();
  /** By full name. */
  readonly #names = new Map<string, ImageName>();

  constructor(parts: { readonly database: Database; readonly now: () => Date }) {
    this.#database = parts.database;
    this.#now = parts.now;
  }

  /** Read what is there. An image whose configuration is lost stays in the database and is not listed. */
  async recover(content: ContentStore, log: Logger): Promise<void> {
    const blobs = Map.groupBy(this.#database.all("SELECT * FROM blobs"), (row) => String(row["image"]));
    for (const row of this.#database.all("SELECT * FROM images")) {
      const id = parseDigest(String(row["id"]));
      try {
        const config = parseImageConfig(await content.read(id));
        this.#images.set(id, {
          id,
          ...(row["manifest"] !== null && { manifestDigest: parseDigest(String(row["manifest"])) }),
          config,
          chainIds: chainIdsOf(config.diffIds),
          blobs: (blobs.get(id) ?? []).map((blob) => parseDigest(String(blob["digest"]))),
        });
      } catch (error) {
        this.#damaged.add(id);
        log.error(
          "cannot read an image: load or pull it again; until then nothing that is unused is removed",
          {
            image: id,
            error,
          },
        );
      }
    }
    for (const row of this.#database.all("SELECT * FROM names")) {
      const image = parseDigest(String(row["image"]));
      if (!this.#images.has(image)) continue;
      const reference = parseReference(String(row["name"]));
      this.#names.set(formatReference(reference), {
        reference,
        image,
        taggedAt: new Date(Number(row["tagged_ms"])),
        ...(row["attested"] !== null && { attested: parseDigest(String(row["attested"])) }),
      });
    }
  }

  /** Whether there is an image of which is not known what it keeps. */
  get isDamaged(): boolean {
    return this.#damaged.size > 0;
  }

  get(id: Digest): ImageRecord | undefined {
    return this.#images.get(id);
  }

  list(): readonly ImageRecord[] {
    return [...this.#images.values()];
  }

  /** By full name. */
  listNames(): readonly ImageName[] {
    return [...this.#names].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, name]) => name);
  }

  /** `reference` has a tag or a digest. */
  findName(reference: Reference): ImageName | undefined {
    return this.#names.get(formatReference(reference));
  }

  /** Of an image, by full name. */
  namesOf(image: Digest): readonly ImageName[] {
    return [...this.#names.entries()]
      .filter(([, name]) => name.image === image)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, name]) => name);
  }

  /** Every blob that an image keeps. */
  blobs(): ReadonlySet<Digest> {
    return new Set(this.list().flatMap((image) => image.blobs));
  }

  /**
   * Add an image, or more blobs and a manifest to one that is there, and give it names, taking them from others that had them.
   * Durable when it returns.
   */
  put(image: ImageRecord, newNames: readonly NewName[]): void {
    const existing = this.#images.get(image.id);
    const manifestDigest = image.manifestDigest ?? existing?.manifestDigest;
    const merged: ImageRecord = {
      ...image,
      ...(manifestDigest !== undefined && { manifestDigest }),
      blobs: [...new Set([...(existing?.blobs ?? []), ...image.blobs])],
    };
    const now = this.#now();
    const names = newNames.map((name) => nameOf(name, merged.id, now));
    this.#database.durably(() => {
      this.#database.run(
        "INSERT INTO images (id, manifest, created_ms) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET manifest = excluded.manifest",
        merged.id,
        merged.manifestDigest ?? null,
        now.getTime(),
      );
      for (const blob of merged.blobs) {
        this.#database.run("INSERT OR IGNORE INTO blobs (image, digest) VALUES (?, ?)", merged.id, blob);
      }
      for (const name of names) this.#writeName(name);
    });
    this.#images.set(merged.id, merged);
    this.#damaged.delete(merged.id);
    for (const name of names) this.#names.set(formatReference(name.reference), name);
  }

  /** Give an image a name, taking it from another that had it. Durable when it returns. */
  setName(newName: NewName, image: Digest): void {
    const name = nameOf(newName, image, this.#now());
    this.#database.durably(() => this.#writeName(name));
    this.#names.set(formatReference(name.reference), name);
  }

  /** Take names away and, when `image` is given, forget that image. Durable when it returns. */
  remove(names: readonly ImageName[], image?: Digest): void {
    const texts = names.map(({ reference }) => formatReference(reference));
    this.#database.durably(() => {
      for (const text of texts) this.#database.run("DELETE FROM names WHERE name = ?", text);
      if (image !== undefined) this.#database.run("DELETE FROM images WHERE id = ?", image);
    });
    for (const text of texts) this.#names.delete(text);
    if (image !== undefined) this.#images.delete(image);
  }

  #writeName({ reference, image, taggedAt, attested }: ImageName): void {
    this.#database.run(
      "INSERT INTO names (name, image, tagged_ms, attested) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET image = excluded.image, tagged_ms = excluded.tagged_ms, attested = excluded.attested",
      formatReference(reference),
      image,
      taggedAt.getTime(),
      attested ?? null,
    );
  }
}

function nameOf({ reference, attested }: NewName, image: Digest, taggedAt: Date): ImageName {
  return { reference, image, taggedAt, ...(attested !== undefined && { attested }) };
}
