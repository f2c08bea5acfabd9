import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { hostsFile, hostsFileNames, resolvConfFor, resolvConfWithServer } from "@hawser/network";
import type { ContainerDefaults } from "../config/container-defaults.ts";
import type { ContainerIndex } from "../containers/container-index.ts";
import type { ContainerRecord } from "../containers/container-record.ts";
import type { Attachment, EndpointRecord } from "./attachment.ts";
import { attachmentsOf } from "./attachment.ts";
import { hasNames } from "./container-names.ts";
import type { NetworkPlace } from "./container-networks.ts";
import { linkEnvironment } from "./link-environment.ts";
import { exposedPortsOf } from "./port-requests.ts";

/** What containers are told of name servers that say nothing of them. */
export type ResolverDefaults = ContainerDefaults["resolver"];

/** Where a container's files of its network are. */
export interface NetworkFiles {
  readonly hosts: string;
  readonly resolvConf: string;
}

/** Write the files of a container's own network: hosts, and resolv.conf made of the host's. */
export function writeNetworkFiles(
  record: ContainerRecord,
  place: {
    readonly kind: NetworkPlace["kind"];
    readonly attachments: readonly Attachment[];
    readonly files: NetworkFiles;
    readonly hostGateway: string;
    readonly index: ContainerIndex;
    readonly resolver: ResolverDefaults;
  },
): void {
  const { config, hostConfig } = record;
  // Whoever asks for names gets these, and none of the host's own.
  const isHost = place.kind === "host" && hostConfig.extraHosts.length === 0;
  const hosts = isHost
    ? readFileSync("/etc/hosts", "utf8")
    : hostsFile({
        hostname: config.hostname,
        domainname: config.domainname,
        extraHosts: hostConfig.extraHosts,
        links: linksOf(record, place.index),
        addresses: place.attachments.flatMap(({ endpoint }) => (endpoint ? addressesOf(endpoint) : [])),
        gateway: place.hostGateway,
      });
  writeFileSync(place.files.hosts, hosts);
  writeFileSync(place.files.resolvConf, resolvConfOf(record, place));
}

export function orElse(own: readonly string[], defaults: readonly string[]): readonly string[] {
  return own.length > 0 ? own : defaults;
}

/** A container's resolv.conf: on users' networks it names the server in its own namespace. */
export function resolvConfOf(
  { hostConfig }: Pick<ContainerRecord, "hostConfig">,
  place: {
    readonly kind: NetworkPlace["kind"];
    readonly attachments: readonly Attachment[];
    readonly resolver: ResolverDefaults;
  },
): string {
  const { resolver } = place;
  const systemdText = readIfThere("/run/systemd/resolve/resolv.conf");
  const text = readIfThere("/etc/resolv.conf") ?? "";
  const options = {
    ...(systemdText !== undefined && { systemdText }),
    nameservers: orElse(hostConfig.dns, resolver.dns),
    search: orElse(hostConfig.dnsSearch, resolver.dnsSearch),
    options: orElse(hostConfig.dnsOptions, resolver.dnsOptions),
    keepLoopback: place.kind === "host",
  };
  if (!place.attachments.some(hasNames)) return resolvConfFor(text, options);
  return resolvConfWithServer(text, options);
}

/**
 * Tell a running container's hosts file of a place that it has got, or no longer has. The file is changed in place, since it
 * is mounted, and only in these lines, since the container may have changed others.
 */
export function changeHosts(
  path: string,
  change: {
    readonly config: Pick<ContainerRecord["config"], "hostname" | "domainname">;
    readonly endpoint: EndpointRecord;
    readonly verb: "add" | "remove";
  },
): void {
  const text = readIfThere(path);
  if (text === undefined) return;
  const names = hostsFileNames(change.config);
  const lines = addressesOf(change.endpoint).map((address) => `${address}\t${names}\n`);
  const others = lines.reduce((left, line) => left.replace(line, ""), text);
  writeFileSync(path, change.verb === "add" ? others + lines.join("") : others);
}

/** Containers that this one knows by other names on the default bridge (`--link db:database`). */
function linksOf(record: ContainerRecord, index: ContainerIndex) {
  const isOnDefaultBridge = attachmentsOf(record).some(({ network }) => network === "bridge");
  if (!isOnDefaultBridge) return [];
  return record.hostConfig.links.flatMap((text) => {
    const [name = "", path = name] = text.split(":");
    const other = index.find(name);
    const endpoint =
      other && attachmentsOf(other.record).find(({ network }) => network === "bridge")?.endpoint;
    if (other === undefined || endpoint === undefined) return [];
    const alias = path.replace(/^.*\//, "");
    const names = [...new Set([alias, other.record.config.hostname, other.record.name])];
    return [{ address: endpoint.address, names, alias, other: other.record }];
  });
}

/** A container's record with what its links tell in its environment, which overrules them. */
export function withLinkVariables(record: ContainerRecord, index: ContainerIndex): ContainerRecord {
  const { config } = record;
  const told = linksOf(record, index).flatMap(({ address, alias, other }) =>
    linkEnvironment({
      owner: record.name,
      alias,
      address,
      ports: exposedPortsOf(other.config, other.hostConfig),
      environment: other.config.env,
    }),
  );
  if (told.length === 0) return record;
  const nameOf = (text: string) => text.split("=", 1)[0];
  const own = new Set(config.env.map(nameOf));
  const env = [...told.filter((text) => !own.has(nameOf(text))), ...config.env];
  return { ...record, config: { ...config, env } };
}

function addressesOf({ address, ipv6 }: EndpointRecord): string[] {
  return [...(address === "" ? [] : [address]), ...(ipv6 ? [ipv6.address] : [])];
}

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}
