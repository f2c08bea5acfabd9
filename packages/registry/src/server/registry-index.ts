import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type Digest, parseDigest } from "@hawser/oci";
import { serverFaults } from "./faults.ts";
import { changeTriggers, type IndexChange, type IndexRecord, type RecordKind } from "./index-changes.ts";

/** A manifest of a repository. Its bytes are a blob like others. */
export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly sizeBytes: number;
}

/** What a manifest says of itself to those who list referrers. */
export interface Referrer extends StoredManifest {
  readonly artifactType: string;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface NewManifest extends Referrer {
  readonly subject?: Digest;
  /** Blobs and manifests that it refers to. */
  readonly references: readonly Digest[];
}

/**
 * One step per version of the schema; only ever added to.
 *
 *     repositories  names
 *     links         blobs that a repository has
 *     manifests     manifests of a repository; `subject` is what they are about
 *     refs          what manifests refer to
 *     tags          names of manifests
 *     changes       what is to be written elsewhere, too, in order
 */
const migrations = [
  `CREATE TABLE repositories (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
   CREATE TABLE links (
     repository TEXT NOT NULL, digest TEXT NOT NULL, linked_ms INTEGER NOT NULL,
     PRIMARY KEY (repository, digest)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX links_by_digest ON links (digest);
   CREATE TABLE manifests (
     repository TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT NOT NULL, size_bytes INTEGER NOT NULL,
     artifact_type TEXT NOT NULL, annotations TEXT NOT NULL, subject TEXT, pushed_ms INTEGER NOT NULL,
     PRIMARY KEY (repository, digest)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX manifests_by_subject ON manifests (repository, subject);
   CREATE INDEX manifests_by_digest ON manifests (digest);
   CREATE TABLE refs (
     repository TEXT NOT NULL, manifest TEXT NOT NULL, target TEXT NOT NULL,
     PRIMARY KEY (repository, manifest, target)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX refs_by_target ON refs (repository, target);
   CREATE TABLE tags (
     repository TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL, tagged_ms INTEGER NOT NULL,
     PRIMARY KEY (repository, tag)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX tags_by_digest ON tags (repository, digest);`,
  `CREATE TABLE changes (
     seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, repository TEXT NOT NULL, key TEXT NOT NULL
   ) STRICT;`,
] as const;

/**
 * Which repositories there are and what they have: one SQLite database. Calls are synchronous, a change is whole and on the disk
 * when it returns.
 */
export class RegistryIndex implements Disposable {
  readonly #database: DatabaseSync;
  readonly #now: () => number;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(database: DatabaseSync, now: () => number) {
    this.#database = database;
    this.#now = now;
  }

  /** @throws {Fault} `unavailable` when a newer version made it, `conflict` when another registry has it open */
  static open(path: string, options: { readonly now: () => number }): RegistryIndex {
    const database = new DatabaseSync(path, { timeout: 5000 });
    try {
      database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
      const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
      if (version > migrations.length) throw serverFaults.DATA_TOO_NEW(path, version, migrations.length);
      for (const [at, step] of migrations.entries()) {
        if (at >= version) database.exec(`BEGIN; ${step} PRAGMA user_version = ${at + 1}; COMMIT;`);
      }
      return new RegistryIndex(database, options.now);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  hasRepository(name: string): boolean {
    return this.#one("SELECT 1 FROM repositories WHERE name = ?", name) !== undefined;
  }

  /** Names after `last`, in order. */
  listRepositories(page: { readonly after: string; readonly limit: number }): readonly string[] {
    const sql = "SELECT name FROM repositories WHERE name > ? ORDER BY name LIMIT ?";
    return this.#all(sql, page.after, page.limit).map((row) => String(row["name"]));
  }

  hasBlob(repository: string, digest: Digest): boolean {
    return (
      this.#one("SELECT 1 FROM links WHERE repository = ? AND digest = ?", repository, digest) !== undefined
    );
  }

  /** Repositories that have a blob. */
  repositoriesWith(digest: Digest): readonly string[] {
    return this.#all("SELECT repository FROM links WHERE digest = ?", digest).map((row) =>
      String(row["repository"]),
    );
  }

  linkBlob(repository: string, digest: Digest): void {
    this.#change(() => {
      this.#run("INSERT OR IGNORE INTO repositories VALUES (?)", repository);
      this.#enterLink(repository, digest);
    });
  }

  #enterLink(repository: string, digest: Digest): void {
    this.#run("INSERT OR REPLACE INTO links VALUES (?, ?, ?)", repository, digest, this.#now());
  }

  /** A link is as young as its last confirmation, which is written down when it is later by a step. */
  touchLink(repository: string, digest: Digest, { stepMs }: { readonly stepMs: number }): void {
    const sql = "UPDATE links SET linked_ms = ? WHERE repository = ? AND digest = ? AND linked_ms < ?";
    this.#run(sql, this.#now(), repository, digest, this.#now() - stepMs);
  }

  /** Whether it was there. */
  unlinkBlob(repository: string, digest: Digest): boolean {
    return this.#run("DELETE FROM links WHERE repository = ? AND digest = ?", repository, digest) > 0;
  }

  findManifest(repository: string, digest: Digest): StoredManifest | undefined {
    const sql = "SELECT digest, media_type, size_bytes FROM manifests WHERE repository = ? AND digest = ?";
    const row = this.#one(sql, repository, digest);
    return row && manifestOf(row);
  }

  /** The digest of a tag. */
  findTag(repository: string, tag: string): Digest | undefined {
    const row = this.#one("SELECT digest FROM tags WHERE repository = ? AND tag = ?", repository, tag);
    return row && parseDigest(String(row["digest"]));
  }

  /** When a tag was given or, for a copy, last found right. */
  taggedMs(repository: string, tag: string): number | undefined {
    const row = this.#one("SELECT tagged_ms FROM tags WHERE repository = ? AND tag = ?", repository, tag);
    return row && Number(row["tagged_ms"]);
  }

  setTag(repository: string, tag: string, digest: Digest): void {
    this.#run("INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?)", repository, tag, digest, this.#now());
  }

  /** A manifest is as young as its last use, which is written down when it is later by a step. */
  touchManifest(repository: string, digest: Digest, { stepMs }: { readonly stepMs: number }): void {
    const sql = "UPDATE manifests SET pushed_ms = ? WHERE repository = ? AND digest = ? AND pushed_ms < ?";
    this.#run(sql, this.#now(), repository, digest, this.#now() - stepMs);
  }

  /** Manifests that were pushed, or used, before a time. */
  listManifestsBefore(before: number): readonly { readonly repository: string; readonly digest: Digest }[] {
    return this.#all("SELECT repository, digest FROM manifests WHERE pushed_ms < ?", before).map(placeOf);
  }

  /** Take in a manifest, and give it names, taking those from others. */
  putManifest(repository: string, manifest: NewManifest, tags: readonly string[]): void {
    this.#change(() => {
      this.#run("INSERT OR IGNORE INTO repositories VALUES (?)", repository);
      this.#enterManifest(repository, manifest);
      for (const tag of tags) this.setTag(repository, tag, manifest.digest);
    });
  }

  #enterManifest(repository: string, manifest: NewManifest): void {
    const { digest, mediaType, sizeBytes, artifactType, annotations, subject, references } = manifest;
    this.#run(
      "INSERT OR REPLACE INTO manifests VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      repository,
      digest,
      mediaType,
      sizeBytes,
      artifactType,
      JSON.stringify(annotations),
      subject ?? null,
      this.#now(),
    );
    for (const target of references) {
      this.#run("INSERT OR IGNORE INTO refs VALUES (?, ?, ?)", repository, digest, target);
    }
  }

  /** Whether it was there. Its tags go with it. */
  removeManifest(repository: string, digest: Digest): boolean {
    let removed = 0;
    this.#change(() => {
      removed = this.#run("DELETE FROM manifests WHERE repository = ? AND digest = ?", repository, digest);
      this.#run("DELETE FROM refs WHERE repository = ? AND manifest = ?", repository, digest);
      this.#run("DELETE FROM tags WHERE repository = ? AND digest = ?", repository, digest);
    });
    return removed > 0;
  }

  /** Whether it was there. */
  removeTag(repository: string, tag: string): boolean {
    return this.#run("DELETE FROM tags WHERE repository = ? AND tag = ?", repository, tag) > 0;
  }

  /** Tags after one, in order. */
  listTags(repository: string, page: { readonly after: string; readonly limit: number }): readonly string[] {
    const sql = "SELECT tag FROM tags WHERE repository = ? AND tag > ? ORDER BY tag LIMIT ?";
    return this.#all(sql, repository, page.after, page.limit).map((row) => String(row["tag"]));
  }

  /** Manifests that are about `subject`. */
  listReferrers(repository: string, subject: Digest): readonly Referrer[] {
    const sql = "SELECT * FROM manifests WHERE repository = ? AND subject = ? ORDER BY digest";
    return this.#all(sql, repository, subject).map((row) => ({
      ...manifestOf(row),
      artifactType: String(row["artifact_type"]),
      annotations: JSON.parse(String(row["annotations"])) as Record<string, string>,
    }));
  }

  /** Manifests of a repository without tag, parent or subject that is there, pushed before a time. */
  listLooseManifests(before: number): readonly { readonly repository: string; readonly digest: Digest }[] {
    const sql = `SELECT repository, digest FROM manifests AS m WHERE pushed_ms < ?
      AND NOT EXISTS (SELECT 1 FROM tags WHERE repository = m.repository AND digest = m.digest)
      AND NOT EXISTS (SELECT 1 FROM refs WHERE repository = m.repository AND target = m.digest)
      AND (subject IS NULL OR NOT EXISTS
        (SELECT 1 FROM manifests AS s WHERE s.repository = m.repository AND s.digest = m.subject))`;
    return this.#all(sql, before).map(placeOf);
  }

  /** Links of blobs that no manifest of their repository refers to, made before a time. */
  listLooseLinks(before: number): readonly { readonly repository: string; readonly digest: Digest }[] {
    const sql = `SELECT repository, digest FROM links AS l WHERE linked_ms < ?
      AND NOT EXISTS (SELECT 1 FROM refs WHERE repository = l.repository AND target = l.digest)
      AND NOT EXISTS (SELECT 1 FROM manifests WHERE repository = l.repository AND digest = l.digest)`;
    return this.#all(sql, before).map(placeOf);
  }

  /** Whether any repository has it, as a blob or a manifest. */
  isNeeded(digest: Digest): boolean {
    return (
      this.#one("SELECT 1 FROM links WHERE digest = ? LIMIT 1", digest) !== undefined ||
      this.#one("SELECT 1 FROM manifests WHERE digest = ? LIMIT 1", digest) !== undefined
    );
  }

  /** How many there are of each. */
  counts(): Readonly<Record<"repositories" | "manifests" | "tags" | "links", number>> {
    const count = (table: string) => Number(this.#one(`SELECT count(*) AS n FROM ${table}`)?.["n"]);
    return {
      repositories: count("repositories"),
      manifests: count("manifests"),
      tags: count("tags"),
      links: count("links"),
    };
  }

  /** From now on changes are noted, in the same transaction, until `forgetChanges`. */
  noteChanges(): void {
    this.#database.exec(changeTriggers());
  }

  /** What has changed: each thing once, as it is now. @returns `upTo` for `forgetChanges`; 0: nothing */
  listChanges(): { readonly changes: readonly IndexChange[]; readonly upTo: number } {
    const rows = this.#all("SELECT kind, repository, key, max(seq) AS seq FROM changes GROUP BY 1, 2, 3");
    const changes = rows.map((row): IndexChange => {
      const kind = String(row["kind"]) as RecordKind;
      const [repository, key] = [String(row["repository"]), String(row["key"])];
      return { kind, repository, key, value: this.#recordValue(kind, repository, key) };
    });
    return { changes, upTo: Math.max(0, ...rows.map((row) => Number(row["seq"]))) };
  }

  forgetChanges(upTo: number): void {
    this.#run("DELETE FROM changes WHERE seq <= ?", upTo);
  }

  #recordValue(kind: RecordKind, repository: string, key: string): string | undefined {
    switch (kind) {
      case "link":
        return this.hasBlob(repository, parseDigest(key)) ? "" : undefined;
      case "tag":
        return this.findTag(repository, key);
      case "manifest": {
        const sql = "SELECT * FROM manifests WHERE repository = ? AND digest = ?";
        const row = this.#one(sql, repository, key);
        if (row === undefined) return undefined;
        const refs = this.#all(
          "SELECT target FROM refs WHERE repository = ? AND manifest = ?",
          repository,
          key,
        );
        return JSON.stringify({
          mediaType: row["media_type"],
          sizeBytes: row["size_bytes"],
          artifactType: row["artifact_type"],
          annotations: JSON.parse(String(row["annotations"])),
          subject: row["subject"] ?? undefined,
          references: refs.map(({ target }) => target),
        });
      }
    }
  }

  /** Take in what `listChanges` of another index gave: all of it, or nothing. */
  restore(records: readonly IndexRecord[]): void {
    this.#change(() => {
      for (const { kind, repository, key, value } of records) {
        this.#run("INSERT OR IGNORE INTO repositories VALUES (?)", repository);
        if (kind === "link") this.#enterLink(repository, parseDigest(key));
        else if (kind === "tag") this.setTag(repository, key, parseDigest(value));
        else
          this.#enterManifest(repository, {
            ...(JSON.parse(value) as NewManifest),
            digest: parseDigest(key),
          });
      }
    });
  }

  /** Whether nothing was ever taken in. */
  get isEmpty(): boolean {
    return this.#one("SELECT 1 FROM repositories LIMIT 1") === undefined;
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    this.#database.close();
  }

  #change(change: () => void): void {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      change();
      this.#database.exec("COMMIT");
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  #run(sql: string, ...values: readonly (string | number | null)[]): number {
    return Number(this.#prepare(sql).run(...values).changes);
  }

  #one(sql: string, ...values: readonly (string | number | null)[]) {
    return this.#prepare(sql).get(...values);
  }

  #all(sql: string, ...values: readonly (string | number | null)[]) {
    return this.#prepare(sql).all(...values);
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function placeOf(row: Readonly<Record<string, unknown>>) {
  return { repository: String(row["repository"]), digest: parseDigest(String(row["digest"])) };
}

function manifestOf(row: Readonly<Record<string, unknown>>): StoredManifest {
  return {
    digest: parseDigest(String(row["digest"])),
    mediaType: String(row["media_type"]),
    sizeBytes: Number(row["size_bytes"]),
  };
}
