import { BlockList, isIP } from "node:net";

/** `10.0.0.0/8`; `undefined`: it is no network. */
function parse(cidr: string) {
  const [, network = "", prefix] = /^([^/]+)\/(\d{1,3})$/.exec(cidr) ?? [];
  const family = isIP(network);
  if (family === 0 || Number(prefix) > (family === 6 ? 128 : 32)) return undefined;
  return { network, length: Number(prefix), family };
}

/** Whether a text is a network. */
export function isCidr(text: string): boolean {
  return parse(text) !== undefined;
}

/** Whether a network (`10.0.0.0/8`) has an address; what is no network has none. */
export function cidrHas(cidr: string, address: string): boolean {
  const parsed = parse(cidr);
  if (parsed === undefined || parsed.family !== isIP(address)) return false;
  const kind = parsed.family === 6 ? "ipv6" : "ipv4";
  const list = new BlockList();
  list.addSubnet(parsed.network, parsed.length, kind);
  return list.check(address, kind);
}
