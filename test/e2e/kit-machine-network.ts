import { randomInt } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { runCommand, runCommandOk } from "./kit-process.ts";

/** A network namespace that reaches out through this host. */
export interface MachineNetwork extends AsyncDisposable {
  /** File that holds it, for `nsenter --net=`. */
  readonly namespace: string;
}

/**
 * Make a network namespace, held by the new file `namespace`, with `eth0`, a default route and NAT on the host side (an nft
 * table of its own). Addresses come from 198.18.0.0/15, which is set aside for tests (RFC 2544). Disposal removes all of it;
 * but the host goes on forwarding, on which engines beside this machine rely by then.
 *
 * `ip netns` would leave a mount of /run/netns on a machine that never had one.
 */
export async function openMachineNetwork(options: {
  readonly suffix: string;
  readonly namespace: string;
}): Promise<MachineNetwork> {
  await using made = new AsyncDisposableStack();
  const { suffix, namespace } = options;
  const link = `hwm${suffix}`;
  const table = `hawser-machine-${suffix}`;
  const net = `198.${randomInt(18, 20)}.${randomInt(256)}`;
  const inside = ["nsenter", `--net=${namespace}`, "ip"];

  await writeFile(namespace, "", { flag: "wx" });
  await runCommandOk(["unshare", `--net=${namespace}`, "true"]);
  made.defer(() => ignore(["umount", namespace]));
  const ends = ["link", "add", "eth0", "type", "veth", "peer", "name", link, "netns", String(process.pid)];
  await runCommandOk([...inside, ...ends]);
  made.defer(() => ignore(["ip", "link", "delete", link]));
  await runCommandOk(["ip", "address", "add", `${net}.1/30`, "dev", link]);
  await runCommandOk(["ip", "link", "set", link, "up"]);
  await runCommandOk([...inside, "address", "add", `${net}.2/30`, "dev", "eth0"]);
  await runCommandOk([...inside, "link", "set", "lo", "up"]);
  await runCommandOk([...inside, "link", "set", "eth0", "up"]);
  await runCommandOk([...inside, "route", "add", "default", "via", `${net}.1`]);

  await writeFile("/proc/sys/net/ipv4/ip_forward", "1");
  const rules = `table ip ${table} {
    chain postrouting {
      type nat hook postrouting priority 100
      ip saddr ${net}.0/30 oifname != "${link}" masquerade
    }
  }`;
  await runCommandOk(["nft", "-f", "-"], { input: rules });
  made.defer(() => ignore(["nft", "delete", "table", "ip", table]));

  const resources = made.move();
  return { namespace, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

async function ignore(argv: readonly string[]): Promise<void> {
  await runCommand(argv);
}
