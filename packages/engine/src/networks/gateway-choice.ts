import type { Attachment } from "./attachment.ts";
import type { NetworkRecord } from "./network-record.ts";

/** Names of the networks through which a container reaches everything else; absent: there is no way. */
export interface GatewayChoice {
  readonly ipv4?: string;
  readonly ipv6?: string;
}

/**
 * Of the networks with a way out the one of the highest priority; of equal ones the first by name (libnetwork's
 * `Endpoint.Less`).
 */
export function chooseGateways(
  attachments: readonly Attachment[],
  networkOf: (name: string) => NetworkRecord,
): GatewayChoice {
  const candidates = attachments
    .map(({ network, networkId, wish }) => ({
      network: networkOf(networkId || network),
      priority: wish.gatewayPriority,
    }))
    .filter(({ network }) => !network.internal && network.driver !== "null" && network.driver !== "host")
    .toSorted((a, b) => b.priority - a.priority || (a.network.name < b.network.name ? -1 : 1));
  const ipv4 = candidates.find(({ network }) => network.enableIpv4)?.network.name;
  const ipv6 = candidates.find(({ network }) => network.enableIpv6)?.network.name;
  return { ...(ipv4 !== undefined && { ipv4 }), ...(ipv6 !== undefined && { ipv6 }) };
}
