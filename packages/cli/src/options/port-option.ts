import { isIP } from "node:net";
import type { PortBinding, PortMap } from "@hawser/api";
import { parseCsvFields, splitPair } from "./csv-fields.ts";
import { valueError } from "./value-error.ts";

export interface PublishedPorts {
  /** `80/tcp`, in the order given. */
  readonly exposed: readonly string[];
  readonly bindings: PortMap;
}

/**
 * `--publish` values, `[ip:][hostPort]:containerPort[/protocol]` with ranges, and the long form
 * `published=…,target=…[,protocol=…][,mode=…]`.
 *
 * @throws {Fault} `invalid-argument`
 */
export function parsePublish(specs: readonly string[]): PublishedPorts {
  const exposed = new Set<string>();
  const bindings: Record<string, PortBinding[]> = {};
  for (const spec of specs) {
    const short = spec.includes("=") ? shortForm(spec) : spec;
    for (const { port, binding } of parsePortSpec(short)) {
      exposed.add(port);
      bindings[port] = [...(bindings[port] ?? []), binding];
    }
  }
  return { exposed: [...exposed], bindings };
}

/** `--expose` values: `80`, `80-90/udp`. */
export function parseExpose(spec: string): readonly string[] {
  if (spec.includes(":")) throw valueError(`invalid port format for --expose: ${spec}`);
  const { port, protocol } = splitProtocol(spec);
  const range = rangeOf(port, (why) => `invalid range format for --expose: ${why}`);
  return numbers(range).map((number) => `${number}/${protocol}`);
}

function shortForm(spec: string): string {
  let target = "";
  let published = "";
  let protocol = "tcp";
  let mode = "ingress";
  for (const field of parseCsvFields(spec)) {
    const [key, value = ""] = splitPair(field);
    if (value === "") throw valueError(`invalid field: ${field}`);
    switch (key.trim().toLowerCase()) {
      case "target":
        target = value;
        break;
      case "published":
        published = value;
        break;
      case "protocol":
        if (!protocols.has(value)) throw valueError(`invalid protocol value '${value}'`);
        protocol = value;
        break;
      case "mode":
        if (value !== "ingress" && value !== "host")
          throw valueError(`invalid publish mode value (${value}): must be either 'ingress' or 'host'`);
        mode = value;
        break;
      default:
        throw valueError(`invalid field key: ${key}`);
    }
  }
  if (mode === "host") throw valueError("publish mode 'host' is for services");
  if (target === "") throw valueError("missing mandatory field 'target'");
  return `${published}:${target}/${protocol}`;
}

const protocols: ReadonlySet<string> = new Set(["tcp", "udp", "sctp"]);

/** One specification, with ranges spread out. */
export function parsePortSpec(
  spec: string,
): readonly { readonly port: string; readonly binding: PortBinding }[] {
  const { hostIp, hostPort, containerPort } = splitSpec(spec);
  const { port, protocol } = splitProtocol(containerPort);
  if (port === "") throw valueError(`no port specified: ${spec}<empty>`);
  if (hostIp !== "" && isIP(hostIp) === 0) throw valueError(`invalid IP address: ${hostIp}`);
  if (!protocols.has(protocol)) throw valueError(`invalid proto: ${protocol}`);
  const inside = rangeOf(port, () => `invalid containerPort: ${port}`);
  const outside = hostPort === "" ? undefined : rangeOf(hostPort, () => `invalid hostPort: ${hostPort}`);
  const insideCount = inside.end - inside.begin;
  const outsideCount = outside === undefined ? insideCount : outside.end - outside.begin;
  if (outside !== undefined && insideCount !== outsideCount && insideCount !== 0) {
    throw valueError(`invalid ranges specified for container and host Ports: ${port} and ${hostPort}`);
  }
  return numbers(inside).map((number, index) => ({
    port: `${number}/${protocol}`,
    binding: {
      HostIp: hostIp,
      HostPort: hostPortText(outside, { index, spread: insideCount === outsideCount }),
    },
  }));
}

function hostPortText(
  range: PortRange | undefined,
  options: { readonly index: number; readonly spread: boolean },
): string {
  if (range === undefined) return "";
  // one container port on a range: the engine picks
  if (!options.spread) return `${range.begin}-${range.end}`;
  return String(range.begin + options.index);
}

function splitSpec(spec: string): {
  readonly hostIp: string;
  readonly hostPort: string;
  readonly containerPort: string;
} {
  const parts = spec.split(":");
  const containerPort = parts.at(-1) ?? "";
  const hostPort = parts.at(-2) ?? "";
  const hostIp = parts
    .slice(0, -2)
    .join(":")
    .replace(/^\[(.*)\]$/, "$1");
  return { hostIp, hostPort, containerPort };
}

function splitProtocol(text: string): { readonly port: string; readonly protocol: string } {
  const at = text.indexOf("/");
  const port = at < 0 ? text : text.slice(0, at);
  const protocol = at < 0 ? "" : text.slice(at + 1);
  return { port, protocol: protocol === "" ? "tcp" : protocol.toLowerCase() };
}

interface PortRange {
  readonly begin: number;
  readonly end: number;
}

/** `80` or `80-90`. */
export function parsePortRange(text: string): PortRange {
  if (text === "") throw valueError("empty string specified for ports");
  const at = text.indexOf("-");
  if (at < 0) {
    const port = portNumber(text, "start");
    return { begin: port, end: port };
  }
  const begin = portNumber(text.slice(0, at), "start");
  const end = portNumber(text.slice(at + 1), "end");
  if (end < begin) throw valueError(`invalid port range: ${text}`);
  return { begin, end };
}

function portNumber(text: string, side: "start" | "end"): number {
  const why = (words: string) => valueError(`invalid ${side} port '${text}': ${words}`);
  if (text === "") throw why("value is empty");
  if (!/^[+-]?\d+$/.test(text)) throw why("invalid syntax");
  const port = Number(text);
  if (port < 0 || port > 65535) throw why("value out of range (0–65535)");
  return port;
}

function rangeOf(text: string, words: (why: string) => string): PortRange {
  try {
    return parsePortRange(text);
  } catch (error) {
    throw valueError(words(`${text}, error: ${error instanceof Error ? error.message : String(error)}`));
  }
}

function numbers(range: PortRange): readonly number[] {
  return Array.from({ length: range.end - range.begin + 1 }, (_, index) => range.begin + index);
}
