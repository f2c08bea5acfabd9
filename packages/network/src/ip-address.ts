import { isIPv4, isIPv6 } from "node:net";
import { networkFaults } from "./faults.ts";

/** An address of either family, as a number that can be counted with. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** `172.18.0.0/16`: `first` is its lowest address. */
export interface IpPrefix {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly length: number;
}

/** `undefined` for what is no address. A zone (`%eth0`) is not part of one. */
export function parseIp(text: string): IpAddress | undefined {
  if (isIPv4(text)) {
    return { family: 4, value: text.split(".").reduce((value, part) => value * 256n + BigInt(part), 0n) };
  }
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const value = groupsOf(text).reduce((sum, group) => sum * 65_536n + BigInt(group), 0n);
  // An IPv4 address in IPv6's clothes is the IPv4 address, as for Go's net.IP.
  return value >> 32n === 0xffffn ? { family: 4, value: value & 0xffffffffn } : { family: 6, value };
}

/** The canonical text: RFC 5952 for IPv6. */
export function formatIp({ family, value }: IpAddress): string {
  if (family === 4) return bytesOfIp({ family, value }).join(".");
  const groups = Array.from({ length: 8 }, (_, index) =>
    Number((value >> BigInt(112 - 16 * index)) & 0xffffn),
  );
  const zeros = longestZeros(groups);
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  if (zeros.length < 2) return text(groups);
  return `${text(groups.slice(0, zeros.start))}::${text(groups.slice(zeros.start + zeros.length))}`;
}

/** In network order: 4 or 16 bytes. */
export function bytesOfIp({ family, value }: IpAddress): Buffer {
  const digits = family === 4 ? 8 : 32;
  return Buffer.from(value.toString(16).padStart(digits, "0"), "hex");
}

/** The address of 4 or 16 bytes. */
export function ipOfBytes(bytes: Uint8Array): IpAddress {
  const hex = Buffer.from(bytes).toString("hex");
  return { family: bytes.length === 4 ? 4 : 6, value: BigInt(`0x${hex}`) };
}

/**
 * `10.1.0.0/16`, with any address of it before the slash.
 *
 * @returns the prefix, and the address that was named; `undefined` for other text
 */
export function parseCidr(
  text: string,
): { readonly prefix: IpPrefix; readonly address: IpAddress } | undefined {
  const [, host = "", digits = ""] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const address = parseIp(host);
  const length = Number(digits);
  if (address === undefined || length > bitsOf(address.family)) return undefined;
  return { prefix: prefixOf(address, length), address };
}

/** @throws {Fault} `invalid-argument` */
export function requirePrefix(text: string): IpPrefix {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw networkFaults.CIDR_INVALID(text);
  return parsed.prefix;
}

/** The prefix of that length which an address is in. */
export function prefixOf({ family, value }: IpAddress, length: number): IpPrefix {
  const hostBits = BigInt(bitsOf(family) - length);
  return { family, first: (value >> hostBits) << hostBits, length };
}

/** `172.30.0.0/16`; IPv6 as `formatIp`. */
export function formatPrefix({ family, first, length }: IpPrefix): string {
  return `${formatIp({ family, value: first })}/${length}`;
}

/** Its highest address. */
export function lastOf({ family, first, length }: IpPrefix): bigint {
  return first + (1n << BigInt(bitsOf(family) - length)) - 1n;
}

/** Whether an address is in a prefix; one of the other family never is. */
export function contains(prefix: IpPrefix, { family, value }: IpAddress): boolean {
  return family === prefix.family && value >= prefix.first && value <= lastOf(prefix);
}

/** Whether two prefixes have an address in common. */
export function prefixesOverlap(a: IpPrefix, b: IpPrefix): boolean {
  return a.family === b.family && a.first <= lastOf(b) && b.first <= lastOf(a);
}

/** Length of the addresses of a family. */
export function bitsOf(family: 4 | 6): number {
  return family === 4 ? 32 : 128;
}

/** The MAC address that goes with an IPv4 address, as Docker makes it: a neighbour's cache outlives a container. */
export function macOfIp(address: IpAddress): string {
  const bytes = [0x02, 0x42, ...bytesOfIp(address).subarray(-4)];
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** Eight groups of 16 bits; `::` and a dotted end are filled in. */
function groupsOf(text: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted !== null) {
    const [, head = "", a, b, c, d] = dotted;
    const [high, low] = [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)];
    return groupsOf(`${head}${high.toString(16)}:${low.toString(16)}`);
  }
  const [head = "", tail] = text.split("::");
  const parse = (part: string) =>
    part.split(":").flatMap((group) => (group === "" ? [] : Number.parseInt(group, 16)));
  const [before, after] = [parse(head), parse(tail ?? "")];
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}

/** The first of the longest runs. */
function longestZeros(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
