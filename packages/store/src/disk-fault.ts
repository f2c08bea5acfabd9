import { errnoOf, Fault } from "@hawser/base";
import { storeFaults } from "./faults.ts";

/**
 * What the disk below `root` refused, as a fault that tells people what to do about it; anything else unchanged.
 */
export function diskFault(error: unknown, root: string): unknown {
  if (Fault.is(error)) return error;
  switch (errnoOf(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return storeFaults.DISK_FULL(root).because(error);
    case "EROFS":
      return storeFaults.DISK_READ_ONLY(root).because(error);
    case "EACCES":
    case "EPERM":
      return storeFaults.DISK_FORBIDDEN(root).because(error);
    case "ERR_SQLITE_ERROR":
      if (sqliteCode(error) === noRoomForSharedMemory) return storeFaults.DISK_FULL(root).because(error);
      switch (sqliteCode(error) & 0xff) {
        case 13: // SQLITE_FULL
          return storeFaults.DISK_FULL(root).because(error);
        case 8: // SQLITE_READONLY
          return storeFaults.DISK_READ_ONLY(root).because(error);
        case 11: // SQLITE_CORRUPT
        case 26: // SQLITE_NOTADB
          return storeFaults.DATABASE_DAMAGED(root, String(error)).because(error);
        default:
          return error;
      }
    default:
      return error;
  }
}

/** SQLITE_IOERR_SHMSIZE: a database with a log is opened by making a file of 32 KB beside it. */
const noRoomForSharedMemory = 4874;

/** The extended one. */
function sqliteCode(error: unknown): number {
  return typeof error === "object" && error !== null && "errcode" in error
    ? Number(error.errcode)
    : Number.NaN;
}
