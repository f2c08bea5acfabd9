import { isIP } from "node:net";
import type { IpPrefix } from "./ip-address.ts";
import { findLink, hostRoutes } from "./netlink/host-network.ts";

/** The host's routes, but for default routes and for those of one interface. */
export function hostRoutePrefixes(options: { readonly except?: string } = {}): readonly IpPrefix[] {
  const except = options.except === undefined ? undefined : findLink(options.except)?.index;
  return hostRoutes()
    .filter(({ outIndex }) => except === undefined || outIndex !== except)
    .map(({ destination }) => destination);
}

/** The name servers of a resolv.conf(5): a new network must not hide them. */
export function resolverAddresses(resolvConf: string): readonly string[] {
  return [...resolvConf.matchAll(/^\s*nameserver\s+(\S+)/gm)].flatMap(([, address = ""]) =>
    isIP(address) === 0 ? [] : address,
  );
}
