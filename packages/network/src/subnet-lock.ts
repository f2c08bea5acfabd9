import { closeSync, openSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { lockFile } from "@hawser/linux";

/** For all that engines who start together do, one after the other. */
const patienceMs = 5000;
const pauseMs = 2;

/**
 * Keep other engines of this network namespace from choosing a subnet until disposal, so that each sees the routes of those before
 * it: two that look at the same time would choose the same.
 *
 * It is a lock of the namespace's own file (flock(2)), so whoever has these routes has this lock, whatever else they share, and it
 * goes with its holder. Everybody may take it, so after five seconds nobody is waited for any more.
 */
export async function lockSubnets(): Promise<Disposable> {
  const fd = openSync("/proc/self/ns/net", "r");
  const end = performance.now() + patienceMs;
  while (!lockFile(fd) && performance.now() < end) await delay(pauseMs);
  return { [Symbol.dispose]: () => closeSync(fd) };
}
