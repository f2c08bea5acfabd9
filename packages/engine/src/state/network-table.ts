import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { NetworkRecord } from "../networks/network-record.ts";
import { openDatabase } from "./open-database.ts";

/**
 * The networks of the state database, one row each, beside the containers; those that every engine has are not in it:
 *
 *     networks(id TEXT PRIMARY KEY, record TEXT)      record: NetworkRecord as JSON
 *
 * Calls are synchronous and return when the row would survive the death of the machine.
 */
export class NetworkTable implements Disposable {
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;

  /** Open, or make, the table in the database at `path`. */
  constructor(path: string) {
    this.#database = openDatabase(path);
    this.#database.exec(`
      PRAGMA synchronous = FULL;
      CREATE TABLE IF NOT EXISTS networks (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
    `);
    this.#put = this.#database.prepare(
      "INSERT INTO networks VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record",
    );
    this.#remove = this.#database.prepare("DELETE FROM networks WHERE id = ?");
  }

  list(): NetworkRecord[] {
    const rows = this.#database.prepare("SELECT record FROM networks").all();
    return rows.map((row) => JSON.parse(String(row["record"])) as NetworkRecord);
  }

  put(record: NetworkRecord): void {
    this.#put.run(record.id, JSON.stringify(record));
  }

  remove(id: string): void {
    this.#remove.run(id);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
