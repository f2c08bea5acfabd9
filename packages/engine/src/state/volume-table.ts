import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { VolumeRecord } from "../volumes/volume-record.ts";
import { openDatabase } from "./open-database.ts";

/**
 * The volumes of the state database, one row each, beside the containers:
 *
 *     volumes(name TEXT PRIMARY KEY, record TEXT)      record: VolumeRecord as JSON
 *
 * Calls are synchronous and return when the row would survive the death of the engine; with `durable` that of the machine.
 */
export class VolumeTable implements Disposable {
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;

  /** Open, or make, the table in the database at `path`. */
  constructor(path: string) {
    this.#database = openDatabase(path);
    this.#database.exec(`
      CREATE TABLE IF NOT EXISTS volumes (name TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
    `);
    this.#put = this.#database.prepare(
      "INSERT INTO volumes VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET record = excluded.record",
    );
    this.#remove = this.#database.prepare("DELETE FROM volumes WHERE name = ?");
  }

  list(): VolumeRecord[] {
    const rows = this.#database.prepare("SELECT record FROM volumes").all();
    return rows.map((row) => JSON.parse(String(row["record"])) as VolumeRecord);
  }

  put(record: VolumeRecord, options: { readonly durable: boolean }): void {
    this.#database.exec(`PRAGMA synchronous = ${options.durable ? "FULL" : "NORMAL"}`);
    this.#put.run(record.name, JSON.stringify(record));
  }

  remove(name: string): void {
    this.#remove.run(name);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
