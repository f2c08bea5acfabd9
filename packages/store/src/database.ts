import { DatabaseSync, type StatementSync } from "node:sqlite";
import { errnoOf } from "@hawser/base";
import { diskFault } from "./disk-fault.ts";
import { storeFaults } from "./faults.ts";
import { keepRoom, logPages } from "./keep-room.ts";

/**
 * One step per version of the schema; only ever added to.
 *
 *     images     what is loaded: id is the digest of the configuration
 *     names      references in full (`docker.io/library/busybox:latest`, or `...@sha256:...`) to images; `attested` is an index
 *                of the image and of what is said of it, which others get by the name
 *     blobs      the blobs that an image keeps, the configuration first
 *     layers     layers by chain id; `made` stands in it for the digest of one that a build has made here; `diff_id` and `blob`, an
 *                archive that makes it again, are there once something has needed that; `synced` 0: made in `boot` and
 *                perhaps not on the disk yet; `folder` is the number of another layer's folder that it shares
 *     snapshots  writable layers by key
 *     build_cache  results of build steps: `chain_id` is kept, `parent` is what the step worked on
 */
const migrations = [
  `CREATE TABLE images (
     id TEXT PRIMARY KEY,
     manifest TEXT,
     created_ms INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE names (
     name TEXT PRIMARY KEY,
     image TEXT NOT NULL REFERENCES images (id),
     tagged_ms INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE blobs (
     image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
     digest TEXT NOT NULL,
     PRIMARY KEY (image, digest)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE layers (
     chain_id TEXT PRIMARY KEY,
     number INTEGER NOT NULL UNIQUE,
     parent TEXT,
     diff_id TEXT NOT NULL,
     size_bytes INTEGER NOT NULL,
     blob TEXT NOT NULL,
     boot TEXT NOT NULL,
     synced INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE snapshots (
     key TEXT PRIMARY KEY,
     number INTEGER NOT NULL UNIQUE,
     parent TEXT,
     created_ms INTEGER NOT NULL
   ) STRICT;`,
  `CREATE TABLE build_cache (
     key TEXT PRIMARY KEY,
     chain_id TEXT,
     parent TEXT,
     description TEXT NOT NULL,
     created_ms INTEGER NOT NULL,
     last_used_ms INTEGER NOT NULL,
     use_count INTEGER NOT NULL
   ) STRICT;`,
  "ALTER TABLE layers ADD COLUMN folder INTEGER;",
  "ALTER TABLE names ADD COLUMN attested TEXT;",
  `CREATE TABLE layers_without_archives (
     chain_id TEXT PRIMARY KEY,
     number INTEGER NOT NULL UNIQUE,
     folder INTEGER,
     parent TEXT,
     made TEXT,
     diff_id TEXT,
     blob TEXT,
     size_bytes INTEGER NOT NULL,
     boot TEXT NOT NULL,
     synced INTEGER NOT NULL
   ) STRICT;
   INSERT INTO layers_without_archives
     SELECT chain_id, number, folder, parent, NULL, diff_id, blob, size_bytes, boot, synced FROM layers;
   DROP TABLE layers;
   ALTER TABLE layers_without_archives RENAME TO layers;`,
] as const;

export type Row = Readonly<Record<string, string | number | null>>;

/** The store's SQLite database. Synchronous: a change is a few rows. */
export class Database implements Disposable {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#path = path;
  }

  /** @throws {Fault} `data-loss` when it is damaged, `unavailable` when it is newer or read-only, `resource-exhausted` */
  static open(path: string): Database {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: 5000 });
      // NORMAL: safe from `kill -9`; a power cut may take the last seconds, as it does of the files themselves.
      database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
      database.exec(`PRAGMA wal_autocheckpoint = ${logPages}`);
      // Before anything acts on what it says: rows that cannot be read would pass for rows that are not there.
      const [found] = database.prepare("PRAGMA quick_check(1)").all();
      const problem = String(Object.values(found ?? {})[0]);
      if (problem !== "ok") throw storeFaults.DATABASE_DAMAGED(path, problem);
      migrate(database, path);
      keepRoom(database);
      return new Database(database, path);
    } catch (error) {
      database?.close();
      throw errnoOf(error) === undefined ? error : diskFault(error, path);
    }
  }

  all(sql: string, ...values: readonly (string | number | null)[]): readonly Row[] {
    return this.#prepare(sql).all(...values) as Row[];
  }

  run(sql: string, ...values: readonly (string | number | null)[]): void {
    try {
      this.#prepare(sql).run(...values);
    } catch (error) {
      throw diskFault(error, this.#path);
    }
  }

  /** All of `change` or nothing of it; on the disk when it returns. */
  durably(change: () => void): void {
    this.#database.exec("PRAGMA synchronous = FULL");
    try {
      transaction(this.#database, change);
    } catch (error) {
      throw diskFault(error, this.#path);
    } finally {
      this.#database.exec("PRAGMA synchronous = NORMAL");
    }
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
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

function migrate(database: DatabaseSync, path: string): void {
  const row = database.prepare("PRAGMA user_version").get();
  const version = Number(row?.["user_version"]);
  if (version > migrations.length) throw storeFaults.DATABASE_TOO_NEW(path, version, migrations.length);
  for (const [index, step] of migrations.entries()) {
    if (index < version) continue;
    transaction(database, () => database.exec(`${step} PRAGMA user_version = ${index + 1};`));
  }
}

function transaction(database: DatabaseSync, change: () => void): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    change();
    database.exec("COMMIT");
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
