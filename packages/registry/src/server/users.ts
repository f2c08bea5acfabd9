import { readFileSync, statSync } from "node:fs";
import { Fault, type Logger } from "@hawser/base";
import { serverFaults } from "./faults.ts";

/** Who can log in. */
export interface Users {
  /** The bcrypt hash of a user's password, as it is now. */
  find(user: string): string | undefined;
}

/** The lines of an htpasswd file, bcrypt. @throws {Fault} `invalid-argument` for lines that are none */
export function parseUsers(text: string): Users {
  const users = new Map<string, string>();
  for (const [at, line] of text.split("\n").entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [, user, hash] = /^([^:]+):(\$2[aby]\$\d\d\$[./A-Za-z0-9]{53})\s*$/.exec(line) ?? [];
    if (user === undefined || hash === undefined) {
      throw serverFaults.CONFIG_INVALID(
        `Cannot read the users, line ${at + 1}: name:hash with a bcrypt hash was wanted (htpasswd -B)`,
      );
    }
    users.set(user, hash.replace(/^\$2y/, "$2b"));
  }
  return { find: (user) => users.get(user) };
}

/**
 * An htpasswd file as it is whenever somebody logs in: who is taken out of it is out. What cannot be read then (it is being written)
 * leaves the users as they were, and the log tells.
 *
 * @throws {Fault} as `parseUsers`; what reading throws
 */
export function openUsersFile(path: string, log: Logger): Users {
  const markOf = () => {
    const { ino, size, mtimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs}`;
  };
  let mark = markOf();
  let users = parseUsers(readFileSync(path, "utf8"));
  let told = "";
  const refresh = () => {
    const now = markOf();
    if (now === mark) return;
    users = parseUsers(readFileSync(path, "utf8"));
    mark = now;
    told = "";
    log.info("the users are others now", { path });
  };
  return {
    find(user) {
      try {
        refresh();
      } catch (error) {
        const { message } = Fault.from(error);
        if (message !== told) log.error("the users cannot be read: they stay as they were", { path, error });
        told = message;
      }
      return users.find(user);
    },
  };
}
