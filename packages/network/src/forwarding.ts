import { readFile, writeFile } from "node:fs/promises";
import { errnoOf } from "@hawser/base";
import { networkFaults } from "./faults.ts";

const paths = { 4: "/proc/sys/net/ipv4/ip_forward", 6: "/proc/sys/net/ipv6/conf/all/forwarding" } as const;

/**
 * Let the kernel forward between interfaces, as dockerd does, and like there it stays on: nobody can tell who else has come
 * to rely on it. Returns whether it was off.
 *
 * @throws {Fault} `unavailable` when it is off and cannot be switched on.
 */
export async function enableForwarding(family: 4 | 6): Promise<boolean> {
  const path = paths[family];
  try {
    if ((await readFile(path, "utf8")).trim() === "1") return false;
    await writeFile(path, "1\n");
  } catch (error) {
    throw networkFaults.FORWARDING_OFF(path).because(error);
  }
  return true;
}

/**
 * Let a bridge carry what comes from or goes to 127.0.0.0/8, which the engine's rules then give another address: so that
 * published ports answer on the host's own loopback. What containers send there is dropped before.
 */
export async function routeLoopback(bridge: string): Promise<void> {
  try {
    await writeFile(`/proc/sys/net/ipv4/conf/${bridge}/route_localnet`, "1\n");
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error; // the bridge went meanwhile
  }
}
