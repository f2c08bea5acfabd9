import { closeSync } from "node:fs";
import { createNetworkNamespace } from "@hawser/linux";
import { formatIpv4, macAddressOf, type Subnet } from "./ipv4.ts";
import { errnoName, refused } from "./netlink/host-network.ts";
import { encodeMessages, parseReply } from "./netlink/message.ts";
import { addAddress, addDefaultRoute, createVeth, setLink, setLinkWithoutIpv6 } from "./netlink/route.ts";

/** A network namespace that is on the bridge: `lo` and `eth0` up, address and default route set. */
export interface Endpoint extends Disposable {
  /** The holder's, who closes it, best by `dispose`. When nothing refers to the namespace any more, its veth goes too. */
  readonly namespaceFd: number;
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
  readonly macAddress: string;
  readonly interfaceName: "eth0";
  /** The other end of its veth pair, a port of the bridge. */
  readonly hostInterface: string;
  /** Close `namespaceFd`, once. The address stays taken until `DefaultBridge.release`. */
  dispose(): void;
}

export interface EndpointRequest {
  readonly address: number;
  readonly subnet: Subnet;
  readonly mtu: number;
  readonly bridgeIndex: number;
  /** The namespace of the bridge. */
  readonly hostNamespaceFd: number;
  /** Names for the host's end; the next is asked for when one exists. */
  readonly nextHostInterface: () => string;
}

/**
 * Make an endpoint: one thread, one new namespace, two netlink requests (2 ms, none of them on the event loop).
 *
 * @throws {Fault} `internal` when the kernel refuses, `Error` with the system's code when it makes no namespace.
 */
export async function createEndpoint(request: EndpointRequest): Promise<Endpoint> {
  for (let attempt = 1; ; attempt++) {
    const hostInterface = request.nextHostInterface();
    const created = await createNetworkNamespace({
      settings: namespaceSettings,
      inside: insideMessages(request, hostInterface),
      outside: outsideMessages(request, hostInterface),
    });
    const inside = parseReply(created.inside).refusals[0];
    const refusal = inside ?? parseReply(created.outside).refusals[0];
    if (refusal === undefined) return endpointOf(request, hostInterface, created.fd);
    closeSync(created.fd);
    if (inside !== undefined && errnoName(inside.errno) === "EEXIST" && attempt < 10) continue;
    throw refused(`connect a namespace to the bridge with ${hostInterface}`, refusal);
  }
}

/** The bridge is IPv4 only; without this each container sends solicitations that reach all others. `lo` keeps `::1`. */
const namespaceSettings = { "net/ipv6/conf/default/disable_ipv6": "1" };

/** Chosen, so that everything fits in one request; above the tunnel devices that some kernels put in each namespace. */
const eth0Index = 64;

function insideMessages(
  { address, subnet, mtu, hostNamespaceFd }: EndpointRequest,
  hostInterface: string,
): Buffer {
  const { prefixLength, gateway } = subnet;
  return encodeMessages([
    createVeth(
      { name: "eth0", index: eth0Index, macAddress: macAddressOf(address), mtu },
      { name: hostInterface, mtu, namespaceFd: hostNamespaceFd },
    ),
    addAddress({ index: eth0Index, address, prefixLength }),
    addDefaultRoute({ index: eth0Index, gateway }),
  ]);
}

function outsideMessages({ bridgeIndex }: EndpointRequest, hostInterface: string): Buffer {
  return encodeMessages([
    setLinkWithoutIpv6(hostInterface),
    setLink({ name: hostInterface, masterIndex: bridgeIndex, up: true }),
  ]);
}

function endpointOf(
  { address, subnet }: EndpointRequest,
  hostInterface: string,
  namespaceFd: number,
): Endpoint {
  let open = true;
  const dispose = () => {
    if (open) closeSync(namespaceFd);
    open = false;
  };
  return {
    namespaceFd,
    address: formatIpv4(address),
    prefixLength: subnet.prefixLength,
    gateway: formatIpv4(subnet.gateway),
    macAddress: macAddressOf(address),
    interfaceName: "eth0",
    hostInterface,
    dispose,
    [Symbol.dispose]: dispose,
  };
}
