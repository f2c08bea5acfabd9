import { isIP } from "node:net";
import type { EndpointSettings } from "@hawser/api";
import { parseCsvFields, splitPair } from "./csv-fields.ts";
import { parseGoInteger } from "./go-number.ts";
import { valueError } from "./value-error.ts";

/** What `--network` asks for: a network and, in the long form, how to take part in it. */
export interface NetworkOption {
  readonly target: string;
  readonly aliases: readonly string[];
  readonly driverOptions: Readonly<Record<string, string>>;
  readonly ipv4?: string;
  readonly ipv6?: string;
  readonly linkLocalIps: readonly string[];
  readonly macAddress?: string;
  readonly gatewayPriority?: number;
}

/** Docker's: anything that does not look so is a name. */
const isLongForm = /\w+=\w+(,\w+=\w+)*/;

/**
 * `name`, `container:web`, or `name=net,alias=web,ip=…`.
 *
 * @throws {Fault} `invalid-argument`
 */
export function parseNetworkOption(text: string): NetworkOption {
  if (!isLongForm.test(text)) return { target: text, aliases: [], driverOptions: {}, linkLocalIps: [] };
  let option: NetworkOption = { target: "", aliases: [], driverOptions: {}, linkLocalIps: [] };
  for (const field of parseCsvFields(text)) option = withField(option, field);
  if (option.target === "") throw valueError("network name/id is not specified");
  return option;
}

function withField(option: NetworkOption, field: string): NetworkOption {
  const [rawKey, rawValue] = splitPair(field);
  const key = rawKey.trim().toLowerCase();
  if (rawValue === undefined || rawValue === "") throw valueError(`invalid field ${rawKey}`);
  const value = rawValue.trim();
  switch (key) {
    case "name":
      return { ...option, target: value };
    case "alias":
      return { ...option, aliases: [...option.aliases, value] };
    case "ip":
      return { ...option, ipv4: ipAddress(value) };
    case "ip6":
      return { ...option, ipv6: ipAddress(value) };
    case "mac-address":
      return { ...option, macAddress: checkMacAddress(value) };
    case "link-local-ip":
      return { ...option, linkLocalIps: [...option.linkLocalIps, ipAddress(value)] };
    case "driver-opt": {
      const [name, setting] = splitPair(value.toLowerCase());
      if (setting === undefined) throw valueError("invalid key value pair format in driver options");
      return { ...option, driverOptions: { ...option.driverOptions, [name]: setting } };
    }
    case "gw-priority":
      return { ...option, gatewayPriority: gatewayPriority(value) };
    default:
      throw valueError(`invalid field key ${key}`);
  }
}

function ipAddress(value: string): string {
  if (isIP(value) === 0) throw valueError(`IP address is not correctly formatted: ${value}`);
  return value;
}

function gatewayPriority(value: string): number {
  try {
    return parseGoInteger(value, { base: 10 });
  } catch {
    throw valueError(`invalid gw-priority (${value}): invalid syntax`);
  }
}

/** Six bytes in hexadecimal. */
export function checkMacAddress(value: string): string {
  if (/^[\da-f]{2}([:-][\da-f]{2}){5}$/i.test(value)) return value;
  throw valueError(`${value} is not a valid mac address`);
}

/** Not one of those that every engine has. */
export function isUserDefinedNetwork(target: string): boolean {
  return !/^(|default|bridge|host|none|container:.*)$/s.test(target);
}

/** Whether anything is said of how to take part in the network. */
export function hasEndpointOptions(option: NetworkOption): boolean {
  return Object.entries(option).some(
    ([name, value]: [string, unknown]) =>
      name !== "target" && (typeof value !== "object" || Object.keys(value ?? {}).length > 0),
  );
}

/** @throws {Fault} `invalid-argument` for aliases where no names are served. */
export function checkNetwork(option: NetworkOption): void {
  if (option.target.trim() === "") throw valueError("no name set for network");
  if (option.aliases.length > 0 && !isUserDefinedNetwork(option.target)) {
    throw valueError("network-scoped aliases are only supported for user-defined networks");
  }
}

/** The endpoint that the engine is asked for. */
export function endpointSettings(option: NetworkOption): EndpointSettings {
  const ipam = {
    ...(option.ipv4 !== undefined && { IPv4Address: option.ipv4 }),
    ...(option.ipv6 !== undefined && { IPv6Address: option.ipv6 }),
    ...(option.linkLocalIps.length > 0 && { LinkLocalIPs: option.linkLocalIps }),
  };
  return {
    IPAMConfig: Object.keys(ipam).length === 0 ? null : ipam,
    Links: null,
    Aliases: option.aliases.length === 0 ? null : option.aliases,
    MacAddress: option.macAddress ?? "",
    DriverOpts: Object.keys(option.driverOptions).length === 0 ? null : option.driverOptions,
    GwPriority: option.gatewayPriority ?? 0,
    NetworkID: "",
    EndpointID: "",
    Gateway: "",
    IPAddress: "",
    IPPrefixLen: 0,
    IPv6Gateway: "",
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    DNSNames: null,
  };
}
