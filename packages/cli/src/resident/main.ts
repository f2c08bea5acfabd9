import { rmSync } from "node:fs";
import { setPriority } from "node:os";
import { commands } from "../command-table.ts";
import { Resident } from "./resident.ts";

/** `resident.js <socket>`, as native/stub/resident.c starts it: a lock on descriptor 3 says that it lives. */
async function main(socketPath: string): Promise<void> {
  process.title = "hawser-client";
  const ended = Promise.withResolvers<void>();
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(name, () => ended.resolve());
  // Loaded now, so that the first command finds all of it warm.
  for (const { load } of commands) await load();
  const resident = await Resident.open({ socketPath, idleMs: 600_000, greetingMs: 5_000 });
  setPriority(0);
  await Promise.race([resident.idle, ended.promise]);
  rmSync(socketPath, { force: true });
  rmSync(`${socketPath}.lock`, { force: true });
  await resident[Symbol.asyncDispose]();
}

const [socketPath = ""] = process.argv.slice(2);
void main(socketPath).then(() => process.exit(0));
