import { contains, parseCidr, parseIp } from "@hawser/network";
import type { EndpointWish } from "./attachment.ts";
import { findEndpointOptionProblem } from "./endpoint-options.ts";
import { isPredefined, type NetworkRecord } from "./network-record.ts";

/**
 * What is wrong with what a client asks of a container's part in a network: moby's rules and words, all at once; `undefined`
 * when nothing is. A network that is not there yet can only be checked for form.
 */
export function findWishProblem(wish: EndpointWish, network: NetworkRecord | undefined): string | undefined {
  const problems = [...problemsOf(wish, network)];
  if (problems.length === 0) return undefined;
  return problems.length === 1 ? problems[0] : problems.map((text) => `* ${text}`).join("\n");
}

function* problemsOf(wish: EndpointWish, network: NetworkRecord | undefined): Generator<string> {
  const isUsers = network === undefined || !isPredefined(network.name);
  if (wish.aliases.length > 0 && !isUsers) {
    yield "network-scoped alias is supported only for containers in user defined networks";
  }
  if (wish.macAddress !== "" && !isMacAddress(wish.macAddress)) {
    yield `invalid MAC address: ${wish.macAddress}`;
  }
  const option = findEndpointOptionProblem(wish.driverOptions);
  if (option !== undefined) yield option;
  for (const text of wish.linkLocalAddresses) {
    if (parseIp(text) === undefined) yield `invalid link-local IP address: ${text}`;
  }
  for (const [family, text] of [
    [4, wish.ipv4Address],
    [6, wish.ipv6Address],
  ] as const) {
    if (text === "") continue;
    const address = parseIp(text);
    if (address?.family !== family) yield `invalid IPv${family} address: ${text}`;
    if (!isUsers) yield "user specified IP address is supported on user defined networks only";
    if (network === undefined) continue;
    if (!isUsers || network.chosenFamilies?.includes(family)) {
      yield "user specified IP address is supported only when connecting to networks with user configured subnets";
    } else if (!address || !isInside(network, address)) {
      yield `no configured subnet or ip-range contain the IP address ${text}`;
    }
  }
}

function isInside({ subnets }: NetworkRecord, address: NonNullable<ReturnType<typeof parseIp>>): boolean {
  return subnets.some(({ subnet }) => {
    const prefix = parseCidr(subnet)?.prefix;
    return prefix !== undefined && contains(prefix, address);
  });
}

/** Six bytes, not of a group. */
function isMacAddress(text: string): boolean {
  return /^[\da-f]{2}([:-][\da-f]{2}){5}$/i.test(text) && (Number.parseInt(text.slice(0, 2), 16) & 1) === 0;
}
