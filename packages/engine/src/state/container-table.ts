import type { DatabaseSync, StatementSync } from "node:sqlite";
import { keepRoom } from "@hawser/store";
import type { ContainerId, ContainerRecord } from "../containers/container-record.ts";
import { openDatabase } from "./open-database.ts";

/**
 * The containers of the state database, one row each:
 *
 *     containers(id TEXT PRIMARY KEY, name TEXT UNIQUE, record TEXT)      record: ContainerRecord as JSON
 *
 * Calls are synchronous and return when SQLite has the row: in the WAL, so that the death of the engine loses nothing;
 * with `durable` also on disk, so that the death of the machine loses nothing.
 */
export class ContainerTable implements Disposable {
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;

  /** Open, or make, the database at `path`. */
  constructor(path: string) {
    this.#database = openDatabase(path);
    this.#database.exec(`
      CREATE TABLE IF NOT EXISTS containers (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, record TEXT NOT NULL) STRICT;
    `);
    keepRoom(this.#database);
    this.#put = this.#database.prepare(
      "INSERT INTO containers VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, record = excluded.record",
    );
    this.#remove = this.#database.prepare("DELETE FROM containers WHERE id = ?");
  }

  list(): ContainerRecord[] {
    const rows = this.#database.prepare("SELECT record FROM containers").all();
    return rows.map((row) => JSON.parse(String(row["record"])) as ContainerRecord);
  }

  put(record: ContainerRecord, options: { readonly durable: boolean }): void {
    this.#write(options.durable, () => this.#put.run(record.id, record.name, JSON.stringify(record)));
  }

  remove(id: ContainerId, options: { readonly durable: boolean }): void {
    this.#write(options.durable, () => this.#remove.run(id));
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #write(durable: boolean, work: () => unknown): void {
    if (!durable) {
      work();
      return;
    }
    this.#database.exec("PRAGMA synchronous = FULL");
    try {
      work();
    } finally {
      this.#database.exec("PRAGMA synchronous = NORMAL");
    }
  }
}
