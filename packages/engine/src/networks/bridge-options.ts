import { checkBridgeName, type GatewayMode } from "@hawser/network";
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
  };
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

/** Go's booleans; on unless said otherwise. */
function flagOf(options: Readonly<Record<string, string>>, name: string): boolean {
  const text = options[prefix + name] ?? "";
  if (["", "1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
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
