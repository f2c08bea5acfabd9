import { parseGoBool } from "@hawser/base";
import { checkBridgeName, formatIp, type GatewayMode, parseIp } from "@hawser/network";
import { networkServiceFaults } from "./faults.ts";
import type { NetworkRecord } from "./network-record.ts";

/** Options of the bridge driver, as libnetwork's `netlabel` and `drivers/bridge` name them. */
const prefix = "com.docker.network.bridge.";
const mtuOption = "com.docker.network.driver.mtu";
const interfacePrefixOption = "com.docker.network.container_iface_prefix";

/** What a bridge network is to be, beside its subnets. */
export interface BridgeOptions {
  /** Name of the bridge interface. */
  readonly bridge: string;
  readonly mtu: number;
  readonly interContainer: boolean;
  readonly masquerade: boolean;
  readonly modes: Readonly<Record<4 | 6, GatewayMode>>;
  /** The host's address for published ports that name none; empty: all. */
  readonly hostBinding: string;
  /** `eth` */
  readonly interfacePrefix: string;
  /** Whether the bridge has the network's IPv4 gateway as its address. */
  readonly hasIpv4: boolean;
  /** The host's address under which containers go out; absent: that of the interface. */
  readonly sources: Readonly<Partial<Record<4 | 6, string>>>;
  /** Interfaces whose neighbours may ask for published ports at containers' own addresses. */
  readonly trustedInterfaces: readonly string[];
}

/** @throws {Fault} `invalid-argument`, in Docker's words */
export function parseBridgeOptions(
  record: Pick<NetworkRecord, "id" | "options" | "internal">,
): BridgeOptions {
  const { id, options, internal } = record;
  const bridge = options[`${prefix}name`] || `br-${id.slice(0, 12)}`;
  checkBridgeName(bridge);
  const interfacePrefix = options[interfacePrefixOption] || "eth";
  if (!/^[a-z][a-z0-9]{0,9}$/i.test(interfacePrefix)) {
    throw networkServiceFaults.OPTION_INVALID(
      interfacePrefixOption,
      interfacePrefix,
      "up to 10 letters and digits were wanted",
    );
  }
  return {
    bridge,
    mtu: mtuOf(options),
    interContainer: flagOf(options, "enable_icc"),
    masquerade: flagOf(options, "enable_ip_masquerade"),
    modes: { 4: modeOf(options, 4, internal), 6: modeOf(options, 6, internal) },
    hostBinding: options[`${prefix}host_binding_ipv4`] ?? "",
    interfacePrefix,
    hasIpv4: !flagOf(options, "inhibit_ipv4", false),
    sources: { ...sourceOf(options, 4), ...sourceOf(options, 6) },
    trustedInterfaces: trustedOf(options),
  };
}

function sourceOf(
  options: Readonly<Record<string, string>>,
  family: 4 | 6,
): Readonly<Partial<Record<4 | 6, string>>> {
  const name = `com.docker.network.host_ipv${family}`;
  const text = options[name] ?? "";
  if (text === "") return {};
  const address = parseIp(text);
  if (address?.family !== family) {
    throw networkServiceFaults.OPTION_INVALID(name, text, `an IPv${family} address was wanted`);
  }
  return { [family]: formatIp(address) };
}

/** Names of interfaces, which need not be there, separated by colons. */
function trustedOf(options: Readonly<Record<string, string>>): readonly string[] {
  const name = `${prefix}trusted_host_interfaces`;
  const text = options[name] ?? "";
  const names = text.split(":").filter((found) => found !== "");
  if (names.every((found) => /^[A-Za-z\d_][\w.@-]{0,14}$/.test(found))) return names;
  throw networkServiceFaults.OPTION_INVALID(
    name,
    text,
    "names of interfaces were wanted, separated by colons",
  );
}

/** @throws {Fault} `invalid-argument`, in Docker's words */
export function mtuOf(options: Readonly<Record<string, string>>): number {
  const text = options[mtuOption] ?? "";
  if (text === "") return 1500;
  if (!/^[+-]?\d+$/.test(text)) {
    throw networkServiceFaults.OPTION_INVALID(
      mtuOption,
      text,
      `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  const mtu = Number(text);
  if (mtu < 68 || mtu > 65_535) {
    throw networkServiceFaults.OPTION_INVALID(mtuOption, text, "68 to 65535 was wanted");
  }
  return mtu;
}

/** Go's booleans. */
function flagOf(options: Readonly<Record<string, string>>, name: string, otherwise = true): boolean {
  const text = options[prefix + name] ?? "";
  if (text === "") return otherwise;
  const parsed = parseGoBool(text);
  if (parsed !== undefined) return parsed;
  throw networkServiceFaults.OPTION_INVALID(
    prefix + name,
    text,
    `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`,
  );
}

function modeOf(options: Readonly<Record<string, string>>, family: 4 | 6, internal: boolean): GatewayMode {
  const name = `${prefix}gateway_mode_ipv${family}`;
  const text = options[name] ?? "";
  if (text === "") return "nat";
  if (text === "nat" || text === "nat-unprotected" || text === "routed") return text;
  if (text !== "isolated")
    throw networkServiceFaults.OPTION_INVALID(name, text, `unknown gateway mode ${text}`);
  if (!internal) {
    throw networkServiceFaults.OPTION_INVALID(
      name,
      text,
      "gateway mode 'isolated' can only be used for an internal network",
    );
  }
  return text;
}
