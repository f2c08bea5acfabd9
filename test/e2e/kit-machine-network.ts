import { randomInt } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { runCommand, runCommandOk } from "./kit-process.ts";

/** A named network namespace that reaches out through this host. */
export interface MachineNetwork extends AsyncDisposable {
  /** In /run/netns. */
  readonly name: string;
}

const forwarding = "/proc/sys/net/ipv4/ip_forward";

/**
 * Make a network namespace with `eth0`, a default route and NAT on the host side (an nft table of its own). Addresses come
 * from 198.18.0.0/15, which is set aside for tests (RFC 2544). Disposal removes all of it.
 */
export async function openMachineNetwork(suffix: string): Promise<MachineNetwork> {
  await using made = new AsyncDisposableStack();
  const name = `hawser-machine-${suffix}`;
  const link = `hwm${suffix}`;
  const net = `198.${randomInt(18, 20)}.${randomInt(256)}`;

  await runCommandOk(["ip", "netns", "add", name]);
  made.defer(() => ignore(["ip", "netns", "delete", name]));
  await runCommandOk(["ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name]);
  made.defer(() => ignore(["ip", "link", "delete", link]));
  await runCommandOk(["ip", "address", "add", `${net}.1/30`, "dev", link]);
  await runCommandOk(["ip", "link", "set", link, "up"]);
  await runCommandOk(["ip", "-n", name, "address", "add", `${net}.2/30`, "dev", "eth0"]);
  await runCommandOk(["ip", "-n", name, "link", "set", "lo", "up"]);
  await runCommandOk(["ip", "-n", name, "link", "set", "eth0", "up"]);
  await runCommandOk(["ip", "-n", name, "route", "add", "default", "via", `${net}.1`]);

  const forwarded = await readFile(forwarding, "utf8");
  if (forwarded.trim() === "0") {
    await writeFile(forwarding, "1");
    made.defer(() => writeFile(forwarding, forwarded));
  }
  const table = `table ip ${name} {
    chain postrouting {
      type nat hook postrouting priority 100
      ip saddr ${net}.0/30 oifname != "${link}" masquerade
    }
  }`;
  await runCommandOk(["nft", "-f", "-"], { input: table });
  made.defer(() => ignore(["nft", "delete", "table", "ip", name]));

  const resources = made.move();
  return { name, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

async function ignore(argv: readonly string[]): Promise<void> {
  await runCommand(argv);
}
