import type { ContainerPort, EndpointSettings, NetworkSettings, PortMap } from "@hawser/api";
import { type ContainerRecord, hasProcess } from "../../containers/container-record.ts";
import { type Attachment, attachmentsOf, parseNetworkMode } from "../../networks/attachment.ts";
import { dnsNamesOf } from "../../networks/dns-names.ts";
import { exposedPortsOf, formatPort } from "../../networks/port-requests.ts";
import { predefinedIdOf } from "../../networks/predefined.ts";

/** `NetworkSettings` of a container's inspect: what an old client looks for is that of the default bridge. */
export function formatNetworkSettings(
  record: ContainerRecord,
  options: { readonly withIdAlias: boolean },
): NetworkSettings {
  const attachments = attachmentsOf(record);
  const own = attachments.find(({ network }) => network === "bridge")?.endpoint;
  const first = attachments.find(({ endpoint }) => endpoint !== undefined)?.endpoint;
  return {
    Bridge: "",
    SandboxID: first?.id ?? "",
    SandboxKey: record.state.pid === 0 ? "" : `/proc/${record.state.pid}/ns/net`,
    Ports: formatPorts(record),
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
    Networks: formatNetworks(record, { withNames: true, ...options }),
  };
}

/** Each port that a running container offers, with the host's ports that lead there; none: `null`. */
function formatPorts(record: ContainerRecord): PortMap {
  const { config, hostConfig, published = [] } = record;
  if (!hasProcess(record) || isShared(record)) return {};
  return Object.fromEntries(
    exposedPortsOf(config, hostConfig).map((exposed) => {
      const bindings = published
        .filter(
          ({ containerPort, protocol }) => containerPort === exposed.port && protocol === exposed.protocol,
        )
        .map(({ hostIp, hostPort }) => ({
          HostIp: hostIp,
          HostPort: hostPort === 0 ? "" : String(hostPort),
        }));
      return [formatPort(exposed), bindings.length === 0 ? null : bindings];
    }),
  );
}

/** The same for the list. */
export function formatPortList(record: ContainerRecord): readonly ContainerPort[] {
  const { config, hostConfig, published = [] } = record;
  if (!hasProcess(record) || isShared(record)) return [];
  return exposedPortsOf(config, hostConfig).flatMap(({ port, protocol }): readonly ContainerPort[] => {
    const own = published.filter((other) => other.containerPort === port && other.protocol === protocol);
    if (own.length === 0) return [{ PrivatePort: port, Type: protocol }];
    return own.map(({ hostIp, hostPort }) => ({
      IP: hostIp,
      PrivatePort: port,
      ...(hostPort !== 0 && { PublicPort: hostPort }),
      Type: protocol,
    }));
  });
}

/** The ports of whoever's network it is are not its own. */
function isShared({ hostConfig }: ContainerRecord): boolean {
  const { kind } = parseNetworkMode(hostConfig.networkMode);
  return kind === "host" || kind === "container" || kind === "none";
}

/** The networks of a container, by name; an endpoint that is not there shows as Docker shows a stopped one. */
export function formatNetworks(
  record: ContainerRecord,
  options: {
    readonly withNames: boolean;
    /** Before API 1.45 the short id was among the aliases of a user's network. */
    readonly withIdAlias?: boolean;
  },
): Record<string, EndpointSettings> {
  return Object.fromEntries(
    attachmentsOf(record).map((attachment) => {
      const names = options.withNames ? dnsNamesOf(attachment, record) : [];
      const more = options.withIdAlias === true && names.length > 0 ? [record.id.slice(0, 12)] : [];
      const aliases = [...attachment.wish.aliases, ...more];
      return [attachment.network, formatEndpoint(attachment, { record, names, aliases })];
    }),
  );
}

function formatEndpoint(
  { network, networkId, wish, endpoint }: Attachment,
  {
    record,
    names,
    aliases,
  }: {
    readonly record: ContainerRecord;
    readonly names: readonly string[];
    readonly aliases: readonly string[];
  },
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
    Aliases: orNull(aliases),
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
