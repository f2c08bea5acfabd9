import type { NetworkInspect } from "@hawser/api";
import type { EndpointWish } from "../../networks/attachment.ts";
import type { NetworkRecord, SubnetConfig } from "../../networks/network-record.ts";
import type { NetworkMember, NetworkRequest } from "../../networks/network-service.ts";
import type { SubnetRequest } from "../../networks/plan-network.ts";
import { adapt, boolean, type Decoder, list, map, optional, record, string } from "./codec.ts";
import { formatTime } from "./container-inspect.ts";
import { endpointWishCodec } from "./endpoint-request.ts";

interface WireRequest
  extends Omit<
    NetworkRequest,
    "ipamDriver" | "ipamOptions" | "subnets" | "configFrom" | "enableIpv4" | "enableIpv6"
  > {
  readonly enableIpv4: boolean | undefined;
  readonly enableIpv6: boolean | undefined;
  readonly ipam: Pick<NetworkRequest, "ipamDriver" | "ipamOptions" | "subnets">;
  readonly configFrom: { readonly network: string };
}

const requestCodec = record<WireRequest>({
  name: ["Name", string],
  driver: ["Driver", string],
  scope: ["Scope", string],
  enableIpv4: ["EnableIPv4", optional(boolean)],
  enableIpv6: ["EnableIPv6", optional(boolean)],
  ipam: [
    "IPAM",
    record<WireRequest["ipam"]>({
      ipamDriver: ["Driver", string],
      ipamOptions: ["Options", map(string)],
      subnets: [
        "Config",
        list(
          record<SubnetRequest>({
            subnet: ["Subnet", string],
            ipRange: ["IPRange", string],
            gateway: ["Gateway", string],
            auxiliaryAddresses: ["AuxiliaryAddresses", map(string)],
          }),
        ),
      ],
    }),
  ],
  internal: ["Internal", boolean],
  attachable: ["Attachable", boolean],
  ingress: ["Ingress", boolean],
  configOnly: ["ConfigOnly", boolean],
  configFrom: ["ConfigFrom", record<{ readonly network: string }>({ network: ["Network", string] })],
  options: ["Options", map(string)],
  labels: ["Labels", map(string)],
});

/** The body of `POST /networks/create`. A family may also be asked for by an option, as Docker has it. */
export const decodeNetworkRequest: Decoder<NetworkRequest> = adapt(
  requestCodec,
  ({ ipam, configFrom, enableIpv4, enableIpv6, ...request }): NetworkRequest => ({
    ...request,
    ...ipam,
    configFrom: configFrom.network,
    enableIpv4: enableIpv4 ?? request.options["com.docker.network.enable_ipv4"] !== "false",
    enableIpv6: enableIpv6 ?? request.options["com.docker.network.enable_ipv6"] === "true",
  }),
  () => {
    throw new Error("requests are only read");
  },
).decode;

/** The body of `POST /networks/{id}/connect`. */
export const decodeConnectRequest = record<{ readonly container: string; readonly wish: EndpointWish }>({
  container: ["Container", string],
  wish: ["EndpointConfig", endpointWishCodec],
}).decode;

/** The body of `POST /networks/{id}/disconnect`. */
export const decodeDisconnectRequest = record<{ readonly container: string; readonly force: boolean }>({
  container: ["Container", string],
  force: ["Force", boolean],
}).decode;

/** A network as inspect shows it; the list has no containers. */
export function formatNetwork(
  network: NetworkRecord,
  options: { readonly members: readonly NetworkMember[] },
): NetworkInspect {
  const containers = options.members.map(({ containerId, containerName, endpoint }) => {
    const { id, macAddress, address, prefixLength, ipv6 } = endpoint;
    const shown = {
      Name: containerName,
      EndpointID: id,
      MacAddress: macAddress,
      IPv4Address: address === "" ? "" : `${address}/${prefixLength}`,
      IPv6Address: ipv6 === undefined ? "" : `${ipv6.address}/${ipv6.prefixLength}`,
    };
    return [containerId, shown] as const;
  });
  return {
    Name: network.name,
    Id: network.id,
    Created: formatTime(network.createdAtMs),
    Scope: "local",
    Driver: network.driver,
    EnableIPv4: network.enableIpv4,
    EnableIPv6: network.enableIpv6,
    IPAM: {
      Driver: "default",
      Options: network.ipamOptions ?? null,
      Config: network.subnets.length === 0 ? null : network.subnets.map(formatSubnet),
    },
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: network.configFrom },
    ConfigOnly: network.configOnly,
    Containers: Object.fromEntries(containers),
    Options: network.options,
    Labels: network.labels,
  };
}

function formatSubnet({ subnet, ipRange, gateway, auxiliaryAddresses }: SubnetConfig) {
  return {
    Subnet: subnet,
    ...(ipRange !== undefined && { IPRange: ipRange }),
    ...(gateway !== undefined && { Gateway: gateway }),
    ...(auxiliaryAddresses !== undefined && { AuxiliaryAddresses: auxiliaryAddresses }),
  };
}
