import { DatabaseSync } from "node:sqlite";

/** What the write-ahead log may grow to before it is brought into the database, in pages of 4096 bytes. */
export const logPages = 256;

/**
 * A connection to the state database at `path`, made when it is not there. Every one has the same bound on the log: the
 * connection that commits brings it in, and the room that is kept for a full disk is counted on it.
 */
export function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = ${logPages};
  `);
  return database;
}
