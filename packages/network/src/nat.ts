import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { runProgramOk } from "@hawser/base";
import { networkFaults } from "./faults.ts";
import { formatSubnet, type Subnet } from "./ipv4.ts";

export interface NatOptions {
  /** Name of the nftables table, in family `ip`; all of it is ours. */
  readonly table: string;
  readonly bridge: string;
  readonly subnet: Subnet;
  readonly signal?: AbortSignal;
}

/**
 * The rules of a bridge, as one transaction that replaces a table of that name:
 *
 * - what leaves the subnet by another interface than the bridge gets that interface's address; what stays on the bridge, or
 *   goes to the host itself, keeps its own;
 * - from the bridge everything is forwarded; to it, what comes from it and what belongs to connections made from it; all
 *   else that others want forwarded to it is dropped, since switching on forwarding opens the host to its neighbours.
 */
export function natRules({ table, bridge, subnet }: NatOptions): string {
  return `add table ip ${table}
delete table ip ${table}
table ip ${table} {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr ${formatSubnet(subnet)} oifname != "${bridge}" masquerade
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
		iifname "${bridge}" accept
		oifname "${bridge}" ct state established,related accept
		oifname "${bridge}" drop
	}
}
`;
}

/**
 * Put the rules in place, in the network namespace of this process.
 *
 * @throws {Fault} `unavailable` when nft is not installed, `internal` with its words when it fails.
 */
export async function applyNat(options: NatOptions): Promise<void> {
  await nft(natRules(options), options.signal);
}

/** Take them away; fine when they are gone. */
export async function removeNat(table: string): Promise<void> {
  await nft(`add table ip ${table}\ndelete table ip ${table}\n`);
}

/**
 * Let the kernel forward IPv4 between interfaces, as dockerd does, and like there it stays on: nobody can tell who else has
 * come to rely on it. Returns whether it was off.
 *
 * @throws {Fault} `unavailable` when it is off and cannot be switched on.
 */
export async function enableForwarding(): Promise<boolean> {
  const path = "/proc/sys/net/ipv4/ip_forward";
  if ((await readFile(path, "utf8")).trim() === "1") return false;
  try {
    await writeFile(path, "1\n");
  } catch (error) {
    throw networkFaults.FORWARDING_OFF(path).because(error);
  }
  return true;
}

/** The folders of system programs are not in everybody's PATH. */
async function nft(input: string, signal?: AbortSignal): Promise<void> {
  const program = ["/usr/sbin/nft", "/sbin/nft"].find((path) => existsSync(path)) ?? "nft";
  await runProgramOk([program, "-f", "-"], { input, ...(signal !== undefined && { signal }) });
}
