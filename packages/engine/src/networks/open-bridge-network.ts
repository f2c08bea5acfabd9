import { BridgeNetwork, type Firewall, parseCidr, parseIp } from "@hawser/network";
import { parseBridgeOptions } from "./bridge-options.ts";
import type { NetworkRecord } from "./network-record.ts";
import { gatewayOf } from "./plan-network.ts";

/** Make the bridge of a network, or find it as another engine has left it. @throws {Fault} as `BridgeNetwork.open` */
export async function openBridgeNetwork(
  record: NetworkRecord,
  parts: {
    readonly firewall: Firewall;
    readonly nextHostInterface: () => string;
    /** Addresses of containers that run. */
    readonly reserved: readonly string[];
  },
): Promise<BridgeNetwork> {
  const { bridge, mtu, interContainer, masquerade, modes, ...options } = parseBridgeOptions(record);
  const { hasIpv4, sources, trustedInterfaces } = options;
  return await BridgeNetwork.open({
    bridge,
    mtu,
    interContainer,
    internal: record.internal,
    trustedInterfaces,
    ...parts,
    subnets: record.subnets.flatMap((config) => {
      const prefix = parseCidr(config.subnet)?.prefix;
      if (prefix === undefined) return [];
      const gateway = parseIp(gatewayOf(config));
      const range = config.ipRange === undefined ? undefined : parseCidr(config.ipRange)?.prefix;
      const source = sources[prefix.family];
      const auxiliary = Object.values(config.auxiliaryAddresses ?? {});
      return {
        prefix,
        ...(gateway && { gateway }),
        ...(range && { range }),
        reserved: auxiliary.flatMap((text) => parseIp(text) ?? []),
        mode: modes[prefix.family],
        masquerade,
        hasHostAddress: prefix.family === 6 || hasIpv4,
        ...(source && { source }),
      };
    }),
  });
}
