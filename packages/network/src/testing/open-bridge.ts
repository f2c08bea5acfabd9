import { silentLogger } from "@hawser/base";
import { BridgeNetwork, type BridgeNetworkOptions, type GatewayMode } from "../bridge-network.ts";
import { DefaultBridge, type DefaultBridgeOptions } from "../default-bridge.ts";
import { Firewall } from "../firewall.ts";
import { openHostInterfaceNames } from "../host-interface-names.ts";
import { prefixOf, requirePrefix } from "../ip-address.ts";
import { parseSubnet } from "../subnet-choice.ts";

/** A place of the default bridge, as one object. */
export type FlatPlace = Awaited<ReturnType<typeof acquireFlat>>;

/** Rules that are removed with their scope. */
export async function openFirewall(table = "hwtest", options: { readonly passesOthers?: boolean } = {}) {
  const firewall = await Firewall.open({ table, log: silentLogger, ...options });
  await firewall.start();
  return { firewall, [Symbol.asyncDispose]: () => firewall.remove() };
}

/** A default bridge that is removed with its scope, rules and all. */
export async function openBridge(options: Partial<DefaultBridgeOptions> & { readonly table?: string } = {}) {
  const { table = "hwtest", ...others } = options;
  const { firewall } = await openFirewall(table);
  const name = options.bridge ?? "hwtest0";
  const open = async () => {
    try {
      return await DefaultBridge.open({
        bridge: name,
        firewall,
        nextHostInterface: openHostInterfaceNames(name),
        poolSize: 2,
        reserved: [],
        log: silentLogger,
        ...others,
      });
    } catch (error) {
      await firewall.remove();
      throw error;
    }
  };
  const bridge = await open();
  return {
    bridge,
    acquire: () => acquireFlat(bridge),
    [Symbol.asyncDispose]: async () => {
      await bridge.remove();
      await firewall.remove();
    },
  };
}

/** A user's network, `subnets` as the host's address with a prefix length, that is removed with its scope. */
export async function openNetwork(
  firewall: Firewall,
  options: Partial<Omit<BridgeNetworkOptions, "subnets">> & {
    readonly bridge: string;
    readonly subnets: readonly string[];
    readonly range?: string;
    readonly mode?: GatewayMode;
    readonly source?: string;
    readonly masquerade?: boolean;
    readonly hasHostAddress?: boolean;
  },
) {
  const { subnets, range, mode = "nat", source, masquerade = true, ...rest } = options;
  const { hasHostAddress = true, ...others } = rest;
  const network = await BridgeNetwork.open({
    mtu: 1500,
    internal: false,
    interContainer: true,
    firewall,
    reserved: [],
    nextHostInterface: openHostInterfaceNames(options.bridge),
    subnets: subnets.map((text) => {
      const { prefix, gateway } = text.includes(":") ? ipv6SubnetOf(text) : parseSubnet(text);
      return {
        prefix,
        gateway,
        mode,
        masquerade,
        hasHostAddress,
        ...(source !== undefined && { source }),
        ...(range !== undefined && { range: requirePrefix(range) }),
      };
    }),
    ...others,
  });
  return { network, [Symbol.asyncDispose]: () => network.remove() };
}

/** fd00:n::1/64 with n of one digit. */
function ipv6SubnetOf(text: string) {
  const [, digit = "0"] = /^fd00:(\d)::1\/64$/.exec(text) ?? [];
  const first = (0xfd00n << 112n) | (BigInt(digit) << 96n);
  return {
    prefix: prefixOf({ family: 6, value: first }, 64),
    gateway: { family: 6, value: first + 1n } as const,
  };
}

async function acquireFlat(bridge: DefaultBridge) {
  const { endpoint, lease } = await bridge.acquire();
  const { address = "", prefixLength = 0, gateway = "" } = lease.ipv4 ?? {};
  const { namespaceFd, hostInterface, interfaceName } = endpoint;
  return {
    address,
    prefixLength,
    gateway,
    macAddress: lease.macAddress,
    namespaceFd,
    hostInterface,
    interfaceName,
    lease,
    dispose: () => endpoint.dispose(),
    [Symbol.dispose]: () => endpoint.dispose(),
  };
}
