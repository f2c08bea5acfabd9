import type { DatabaseSync } from "node:sqlite";

/** What a write-ahead log may grow to before it is brought into its database, in pages of 4096 bytes. */
export const logPages = 256;

/** What is kept free in a database: as much as its log may hold. */
const roomBytes = logPages * 4096;
const sqliteFull = 13;

/**
 * Have the log at its full length and free pages in the database, so that what happens while the disk is full (an exit, a
 * removal) can still be written; every connection to it must have `logPages` for its `wal_autocheckpoint`. On a disk that is
 * full already there is what there is.
 */
export function keepRoom(database: DatabaseSync): void {
  try {
    database.exec(`
      CREATE TABLE IF NOT EXISTS room (filler BLOB NOT NULL) STRICT;
      INSERT INTO room VALUES (zeroblob(${roomBytes}));
      DELETE FROM room;
      PRAGMA wal_checkpoint;
    `);
  } catch (error) {
    const isFull = error instanceof Error && "errcode" in error && error.errcode === sqliteFull;
    if (!isFull) throw error;
  }
}
