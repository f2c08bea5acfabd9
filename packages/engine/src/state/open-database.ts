import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { diskFault, logPages } from "@hawser/store";
import { stateFaults } from "./faults.ts";

/**
 * A connection to the state database at `path`, made when it is not there. Every one has the same bound on the log: the
 * connection that commits brings it in, and the room that is kept for a full disk is counted on it.
 *
 * @throws {Fault} `data-loss` when it is damaged, `resource-exhausted` when the disk is full, `unavailable`
 */
export function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    // Before anything acts on what it says: rows that cannot be read would pass for rows that are not there.
    const [found] = database.prepare("PRAGMA quick_check(1)").all();
    const problem = String(Object.values(found ?? {})[0]);
    if (problem !== "ok") throw stateFaults.DATABASE_DAMAGED(path, problem);
    database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      PRAGMA wal_autocheckpoint = ${logPages};
    `);
    return database;
  } catch (error) {
    database.close();
    if (isDamage(error)) throw stateFaults.DATABASE_DAMAGED(path, error.message).because(error);
    throw diskFault(error, dirname(path));
  }
}

/** SQLITE_CORRUPT, SQLITE_NOTADB. */
function isDamage(error: unknown): error is Error {
  return error instanceof Error && "errcode" in error && [11, 26].includes(Number(error.errcode) & 0xff);
}
