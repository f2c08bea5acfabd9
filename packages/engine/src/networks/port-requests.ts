import type { PortRequest, Protocol } from "@hawser/network";
import type { ContainerConfig, HostConfig } from "@hawser/runtime";
import { networkServiceFaults } from "./faults.ts";

/** `80/tcp` */
export interface ContainerPort {
  readonly port: number;
  readonly protocol: Protocol;
}

/**
 * What a container wants of the host's ports.
 *
 * @throws {Fault} `invalid-argument`, Docker's words
 */
export function portRequestsOf(
  config: Pick<ContainerConfig, "exposedPorts">,
  hostConfig: Pick<HostConfig, "portBindings" | "publishAllPorts">,
): readonly PortRequest[] {
  const { portBindings, publishAllPorts } = hostConfig;
  return exposedPortsOf(config, hostConfig).flatMap(({ port, protocol }): readonly PortRequest[] => {
    const base = { protocol, containerPort: port };
    const bindings = Object.entries(portBindings).flatMap(([text, list]) =>
      isSame(parsePort(text), { port, protocol }) ? list : [],
    );
    if (bindings.length === 0) return publishAllPorts ? [{ ...base, hostIp: "" }] : [];
    return bindings.map(({ hostIp, hostPort }) => {
      const hostPorts = parseHostPorts(hostPort);
      return { ...base, hostIp, ...(hostPorts && { hostPorts }) };
    });
  });
}

/** The ports that a container offers, published or not, in their order. */
export function exposedPortsOf(
  config: Pick<ContainerConfig, "exposedPorts">,
  { portBindings }: Pick<HostConfig, "portBindings">,
): readonly ContainerPort[] {
  const texts = [...new Set([...config.exposedPorts, ...Object.keys(portBindings)])];
  const found = new Map<string, ContainerPort>();
  for (const text of texts) for (const port of parsePorts(text)) found.set(formatPort(port), port);
  return [...found.values()].toSorted(
    (a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : Number(a.protocol !== b.protocol)),
  );
}

export function formatPort({ port, protocol }: ContainerPort): string {
  return `${port}/${protocol}`;
}

function isSame(one: ContainerPort, other: ContainerPort): boolean {
  return one.port === other.port && one.protocol === other.protocol;
}

/** `80/tcp`, `80`. @throws {Fault} `invalid-argument`, Docker's words */
export function parsePort(text: string): ContainerPort {
  const [only, ...others] = parsePorts(text);
  if (only === undefined || others.length > 0) throw networkServiceFaults.PORT_INVALID(text);
  return only;
}

/** `80/tcp`, `80`, and of what an image exposes also `8000-8010/udp`. */
function parsePorts(text: string): readonly ContainerPort[] {
  const [numbers = "", protocol = "tcp", ...rest] = text.toLowerCase().split("/");
  if (protocol !== "tcp" && protocol !== "udp" && protocol !== "sctp") {
    throw networkServiceFaults.PROTOCOL_INVALID(protocol);
  }
  const range = parseRange(numbers);
  if (range === undefined || rest.length > 0) throw networkServiceFaults.PORT_INVALID(numbers);
  return Array.from({ length: range.last - range.first + 1 }, (_, index) => ({
    port: range.first + index,
    protocol,
  }));
}

/** Empty and 0: any. */
function parseHostPorts(text: string): PortRequest["hostPorts"] {
  if (text === "" || text === "0") return undefined;
  const range = parseRange(text);
  if (range === undefined) throw networkServiceFaults.PORT_INVALID(text);
  return range;
}

function parseRange(text: string): { readonly first: number; readonly last: number } | undefined {
  const [, from = "", to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const [first, last] = [Number(from), Number(to)];
  return from === "" || first < 1 || last > 65_535 || first > last ? undefined : { first, last };
}
