import type { ContainerRecord } from "../containers/container-record.ts";
import { networkServiceFaults } from "./faults.ts";

/** What a client asks of a container's part in a network. Empty: nothing in particular. */
export interface EndpointWish {
  readonly ipv4Address: string;
  readonly ipv6Address: string;
  readonly linkLocalAddresses: readonly string[];
  readonly aliases: readonly string[];
  readonly links: readonly string[];
  readonly macAddress: string;
  readonly driverOptions: Readonly<Record<string, string>>;
  /** The network of the highest is the way to everything else. */
  readonly gatewayPriority: number;
}

/** A container's part in a network. */
export interface Attachment {
  /** As the client named it until the container starts for the first time; then the network's own name. */
  readonly network: string;
  /** Empty until then. */
  readonly networkId: string;
  readonly wish: EndpointWish;
  /** Present while the container starts or runs. */
  readonly endpoint?: EndpointRecord | undefined;
}

/** A container's place on a network while it runs. */
export interface EndpointRecord {
  readonly id: string;
  /** IPv4; empty where the network has none. */
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
  readonly macAddress: string;
  readonly ipv6?: { readonly address: string; readonly prefixLength: number; readonly gateway: string };
  /** `eth0`. Absent for networks without interfaces of their own. */
  readonly interfaceName?: string;
  /** The host's end of it. */
  readonly hostInterface?: string;
}

export const noWish: EndpointWish = {
  ipv4Address: "",
  ipv6Address: "",
  linkLocalAddresses: [],
  aliases: [],
  links: [],
  macAddress: "",
  driverOptions: {},
  gatewayPriority: 0,
};

export type NetworkMode =
  | { readonly kind: "none" | "host" | "bridge" }
  | { readonly kind: "container"; readonly container: string }
  | { readonly kind: "user"; readonly network: string };

/** Docker's `NetworkMode`: empty and `default` mean the default bridge, other words a user's network by name or id. @throws {Fault} */
export function parseNetworkMode(text: string): NetworkMode {
  if (text === "" || text === "default" || text === "bridge") return { kind: "bridge" };
  if (text === "none" || text === "host") return { kind: text };
  const [, container] = /^container:(.+)$/s.exec(text) ?? [];
  if (container !== undefined) return { kind: "container", container };
  if (text.startsWith("container:")) throw networkServiceFaults.MODE_WITHOUT_CONTAINER();
  return { kind: "user", network: text };
}

/** The network that a mode names; `undefined` when the container shares another's. */
export function networkOfMode(mode: NetworkMode): string | undefined {
  if (mode.kind === "container") return undefined;
  return mode.kind === "user" ? mode.network : mode.kind;
}

/** The networks of a container, the one of its network mode first. Records of older engines have that one only. */
export function attachmentsOf(record: ContainerRecord): readonly Attachment[] {
  if (record.attachments !== undefined) return record.attachments;
  const network = networkOfMode(parseNetworkMode(record.hostConfig.networkMode));
  if (network === undefined) return [];
  return [{ network, networkId: "", wish: noWish, ...(record.endpoint && { endpoint: record.endpoint }) }];
}

/** Without what ends with a run. */
export function withoutEndpoints(attachments: readonly Attachment[]): readonly Attachment[] {
  return attachments.map(({ endpoint: _endpoint, ...attachment }) => attachment);
}
