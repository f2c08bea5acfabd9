import type { EndpointSettings, NetworkSettings } from "@hawser/api";
import type { ContainerRecord } from "../../containers/container-record.ts";
import { type Attachment, attachmentsOf } from "../../networks/attachment.ts";
import { dnsNamesOf } from "../../networks/dns-names.ts";
import { predefinedIdOf } from "../../networks/predefined.ts";

/** `NetworkSettings` of a container's inspect: what an old client looks for is that of the default bridge. */
export function formatNetworkSettings(record: ContainerRecord): NetworkSettings {
  const attachments = attachmentsOf(record);
  const own = attachments.find(({ network }) => network === "bridge")?.endpoint;
  const first = attachments.find(({ endpoint }) => endpoint !== undefined)?.endpoint;
  return {
    Bridge: "",
    SandboxID: first?.id ?? "",
    SandboxKey: record.state.pid === 0 ? "" : `/proc/${record.state.pid}/ns/net`,
    Ports: {},
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: own?.id ?? "",
    Gateway: own?.gateway ?? "",
    GlobalIPv6Address: own?.ipv6?.address ?? "",
    GlobalIPv6PrefixLen: own?.ipv6?.prefixLength ?? 0,
    IPAddress: own?.address ?? "",
    IPPrefixLen: own?.prefixLength ?? 0,
    IPv6Gateway: own?.ipv6?.gateway ?? "",
    MacAddress: own?.macAddress ?? "",
    Networks: formatNetworks(record, { withNames: true }),
  };
}

/** The networks of a container, by name; an endpoint that is not there shows as Docker shows a stopped one. */
export function formatNetworks(
  record: ContainerRecord,
  options: { readonly withNames: boolean },
): Record<string, EndpointSettings> {
  return Object.fromEntries(
    attachmentsOf(record).map((attachment) => {
      const names = options.withNames ? dnsNamesOf(attachment, record) : [];
      return [attachment.network, formatEndpoint(attachment, { record, names })];
    }),
  );
}

function formatEndpoint(
  { network, networkId, wish, endpoint }: Attachment,
  { record, names }: { readonly record: ContainerRecord; readonly names: readonly string[] },
): EndpointSettings {
  const { ipv4Address, ipv6Address, linkLocalAddresses } = wish;
  const ipam = {
    ...(ipv4Address !== "" && { IPv4Address: ipv4Address }),
    ...(ipv6Address !== "" && { IPv6Address: ipv6Address }),
    ...(linkLocalAddresses.length > 0 && { LinkLocalIPs: linkLocalAddresses }),
  };
  return {
    IPAMConfig: Object.keys(ipam).length === 0 ? null : ipam,
    Links: orNull(wish.links),
    Aliases: orNull(wish.aliases),
    MacAddress: endpoint?.macAddress ?? "",
    DriverOpts: Object.keys(wish.driverOptions).length === 0 ? null : wish.driverOptions,
    GwPriority: wish.gatewayPriority,
    NetworkID: networkId || idOfPredefined(network, record),
    EndpointID: endpoint?.id ?? "",
    Gateway: endpoint?.gateway ?? "",
    IPAddress: endpoint?.address ?? "",
    IPPrefixLen: endpoint?.prefixLength ?? 0,
    IPv6Gateway: endpoint?.ipv6?.gateway ?? "",
    GlobalIPv6Address: endpoint?.ipv6?.address ?? "",
    GlobalIPv6PrefixLen: endpoint?.ipv6?.prefixLength ?? 0,
    DNSNames: orNull(names),
  };
}

/** Records of older engines do not hold it. */
function idOfPredefined(network: string, { state }: ContainerRecord): string {
  const isPredefined = network === "bridge" || network === "host" || network === "none";
  return isPredefined && state.startedAtMs !== 0 ? predefinedIdOf(network) : "";
}

function orNull(texts: readonly string[]): readonly string[] | null {
  return texts.length === 0 ? null : texts;
}
