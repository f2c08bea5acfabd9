import { BlockList, isIP } from "node:net";

/** Whether a network (`10.0.0.0/8`) has an address; what is no network has none. */
export function cidrHas(cidr: string, address: string): boolean {
  const [, network = "", prefix] = /^([^/]+)\/(\d{1,3})$/.exec(cidr) ?? [];
  const [family, its] = [isIP(network), isIP(address)];
  if (family === 0 || family !== its || Number(prefix) > (family === 6 ? 128 : 32)) return false;
  const kind = family === 6 ? "ipv6" : "ipv4";
  const list = new BlockList();
  list.addSubnet(network, Number(prefix), kind);
  return list.check(address, kind);
}
