import { createHash } from "node:crypto";
import type { IpAddress } from "./ip-address.ts";
import { errnoName, refused } from "./netlink/host-network.ts";
import { createVeth, isolatePort, setLink, setLinkWithoutIpv6 } from "./netlink/link.ts";
import { encodeMessages, type NetlinkMessage, parseReply } from "./netlink/message.ts";
import { addAddress, setDefaultRoute } from "./netlink/route.ts";

/** An interface that a container is to have on a bridge. */
export interface InterfaceRequest {
  /** `eth0` */
  readonly name: string;
  readonly macAddress: string;
  readonly mtu: number;
  readonly addresses: readonly { readonly address: IpAddress; readonly prefixLength: number }[];
  /** Where everything goes that nothing else takes: one of a family at most. */
  readonly gateways: readonly IpAddress[];
  readonly bridgeIndex: number;
  /** The namespace of the bridge. */
  readonly hostNamespaceFd: number;
  /** Names for the host's end; the next is asked for when one exists. */
  readonly nextHostInterface: () => string;
  /** Kept from the other containers on the bridge. */
  readonly isolated: boolean;
}

/**
 * Send the messages that make an interface, with the next name until one is free.
 *
 * @param send sends one request from inside the container's namespace and one from the host's, and returns both answers
 * @returns the name of the host's end
 * @throws {Fault} `internal` when the kernel refuses.
 */
export async function makeInterface<T extends { readonly inside: Uint8Array; readonly outside: Uint8Array }>(
  request: InterfaceRequest,
  send: (messages: { readonly inside: Buffer; readonly outside: Buffer }) => Promise<T>,
  discard: (made: T) => void,
): Promise<{ readonly hostInterface: string; readonly made: T }> {
  for (let attempt = 1; ; attempt++) {
    const hostInterface = request.nextHostInterface();
    const made = await send({
      inside: encodeMessages(insideMessages(request, hostInterface)),
      outside: encodeMessages(outsideMessages(request, hostInterface)),
    });
    const inside = parseReply(made.inside).refusals[0];
    const refusal = inside ?? parseReply(made.outside).refusals[0];
    if (refusal === undefined) return { hostInterface, made };
    discard(made);
    if (inside !== undefined && errnoName(inside.errno) === "EEXIST" && attempt < 10) continue;
    throw refused(`connect a namespace to the bridge with ${hostInterface}`, refusal);
  }
}

/**
 * Chosen, so that everything fits in one request, and follows from the name, which is one interface's in a namespace: `eth0`
 * and so on are above the tunnel devices that some kernels put in each namespace, other names are far above.
 */
export function interfaceIndexOf(name: string): number {
  const [, number] = /^eth(\d{1,3})$/.exec(name) ?? [];
  if (number !== undefined) return 64 + Number(number);
  return 0x10_0000 + (createHash("sha256").update(name).digest().readUInt32LE() % 0x3000_0000);
}

function insideMessages(request: InterfaceRequest, hostInterface: string): NetlinkMessage[] {
  const { name, macAddress, mtu, hostNamespaceFd } = request;
  const index = interfaceIndexOf(name);
  return [
    createVeth({ name, index, macAddress, mtu }, { name: hostInterface, mtu, namespaceFd: hostNamespaceFd }),
    ...configureMessages({ ...request, index }),
  ];
}

/** What an interface needs once it is there. */
export function configureMessages(
  request: Pick<InterfaceRequest, "name" | "addresses" | "gateways"> & { readonly index: number },
): NetlinkMessage[] {
  const { name, index, addresses, gateways } = request;
  const hasIpv6 = addresses.some(({ address }) => address.family === 6);
  return [
    // Without it each container on an IPv4 network sends solicitations that reach all others.
    ...(hasIpv6 ? [] : [setLinkWithoutIpv6(name)]),
    setLink({ name, up: true }),
    ...addresses.map((address) => addAddress({ index, ...address })),
    ...gateways.map((gateway) => setDefaultRoute({ index, family: gateway.family, gateway })),
  ];
}

function outsideMessages(
  { bridgeIndex, isolated }: InterfaceRequest,
  hostInterface: string,
): NetlinkMessage[] {
  return [
    setLinkWithoutIpv6(hostInterface),
    setLink({ name: hostInterface, masterIndex: bridgeIndex, up: true }),
    ...(isolated ? [isolatePort(hostInterface)] : []),
  ];
}
