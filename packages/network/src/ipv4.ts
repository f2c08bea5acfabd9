import { isIPv4 } from "node:net";
import { networkFaults } from "./faults.ts";

/** An IPv4 subnet with the address in it that the host has. Addresses are unsigned 32-bit numbers. */
export interface Subnet {
  readonly gateway: number;
  readonly prefixLength: number;
  /** The lowest address, which no host has. */
  readonly network: number;
  /** The highest, which no host has either. */
  readonly broadcast: number;
}

/**
 * `172.30.0.1/16`: the gateway's address and the length of the prefix.
 *
 * @throws {Fault} `invalid-argument`.
 */
export function parseSubnet(text: string): Subnet {
  const [, address = "", length = ""] = /^([\d.]+)\/(\d+)$/.exec(text) ?? [];
  const gateway = parseIpv4(address);
  const prefixLength = Number(length);
  if (gateway === undefined || prefixLength < 8 || prefixLength > 30)
    throw networkFaults.SUBNET_INVALID(text);
  const subnet = subnetOf(gateway, prefixLength);
  if (gateway === subnet.network || gateway === subnet.broadcast) throw networkFaults.SUBNET_INVALID(text);
  return subnet;
}

export function subnetOf(gateway: number, prefixLength: number): Subnet {
  const hostMask = 2 ** (32 - prefixLength) - 1;
  return {
    gateway,
    prefixLength,
    network: (gateway & ~hostMask) >>> 0,
    broadcast: (gateway | hostMask) >>> 0,
  };
}

/** `172.30.0.0/16` */
export function formatSubnet(subnet: Pick<Subnet, "network" | "prefixLength">): string {
  return `${formatIpv4(subnet.network)}/${subnet.prefixLength}`;
}

export function parseIpv4(text: string): number | undefined {
  if (!isIPv4(text)) return undefined;
  return text.split(".").reduce((value, part) => value * 256 + Number(part), 0);
}

export function formatIpv4(address: number): string {
  return bytesOf(address).join(".");
}

/** The MAC address that goes with an IPv4 address, as Docker makes it: a neighbour's cache outlives a container. */
export function macAddressOf(address: number): string {
  return ["02", "42", ...bytesOf(address).map((byte) => byte.toString(16).padStart(2, "0"))].join(":");
}

function bytesOf(address: number): number[] {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff);
}
