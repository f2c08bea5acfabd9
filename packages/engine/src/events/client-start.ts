import { readFileSync } from "node:fs";
import type { PeerCredentials } from "@hawser/linux";

/** A client that has run longer has had something else to do first. */
const longestStartMs = 2000;
/** proc(5) and the clock it goes by have hundredths: so much later, nothing is taken for later than it was. */
const roundingMs = 20;

/**
 * When docker's CLI that asks for events was started, in nanoseconds since 1970; `undefined` for other clients, and on other hosts.
 *
 * It asks some 60 ms after its start. Programs begin `docker events` and `docker run` together and wait for the start to be told
 * (VS Code's devcontainer CLI does); an engine that starts a container sooner than that would have told it before anybody listened.
 */
export function clientStartNs(
  userAgent: string,
  peer: PeerCredentials | undefined,
  nowMs: number,
): bigint | undefined {
  if (peer === undefined || !userAgent.startsWith("Docker-Client/")) return undefined;
  try {
    const stat = readFileSync(`/proc/${peer.pid}/stat`, "utf8");
    // Field 22, where the name of the program ends with field 2.
    const ticks = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
    const [uptime] = readFileSync("/proc/uptime", "utf8").split(" ");
    const ageMs = Number(uptime) * 1000 - ticks * 10 - roundingMs;
    return ageMs > 0 && ageMs < longestStartMs ? BigInt(Math.floor(nowMs - ageMs)) * 1_000_000n : undefined;
  } catch {
    return undefined; // it is gone, or not to be seen from here
  }
}
