import { attribute, attributeText, type NetlinkMessage, nlm, parseAttributes } from "./message.ts";

/*
 * The messages of rtnetlink(7) that a bridge network needs. Addresses are IPv4 as unsigned 32-bit numbers; sizes, types
 * and flags are those of linux/rtnetlink.h, if_link.h, if_addr.h and veth.h.
 */

const rtm = {
  newLink: 16,
  delLink: 17,
  getLink: 18,
  setLink: 19,
  newAddress: 20,
  delAddress: 21,
  getAddress: 22,
  newRoute: 24,
  getRoute: 26,
} as const;
const ifla = {
  address: 1,
  name: 3,
  mtu: 4,
  master: 10,
  linkInfo: 18,
  afSpec: 26,
  namespaceFd: 28,
  extMask: 29,
} as const;
const info = { kind: 1, data: 2 } as const;
const vethPeer = 1;
const ifa = { address: 1, local: 2, broadcast: 4 } as const;
const rta = { destination: 1, outInterface: 4, gateway: 5, table: 15 } as const;
const flagUp = 0x1;
const familyInet = 2;
const familyInet6 = 10;
const inet6AddressMode = 8;
const addressModeNone = 1;
const mainTable = 254;
const skipStatistics = 8;

export interface LinkSettings {
  readonly name: string;
  readonly macAddress?: string;
  readonly mtu?: number;
}

/** A veth pair: one end here with an index of our choice, up; the other, down, in the namespace of `peerNamespaceFd`. */
export function createVeth(
  here: LinkSettings & { readonly index: number },
  peer: LinkSettings & { readonly namespaceFd: number },
): NetlinkMessage {
  const peerBody = [linkHeader(0, 0), ...linkAttributes(peer), attribute(ifla.namespaceFd, peer.namespaceFd)];
  const linkInfo = [attribute(info.kind, "veth"), attribute(info.data, [attribute(vethPeer, peerBody)])];
  return {
    type: rtm.newLink,
    flags: nlm.create | nlm.exclusive,
    body: Buffer.concat([
      linkHeader(here.index, flagUp),
      ...linkAttributes(here),
      attribute(ifla.linkInfo, linkInfo),
    ]),
  };
}

/** A bridge, down. */
export function createBridge(link: LinkSettings): NetlinkMessage {
  return {
    type: rtm.newLink,
    flags: nlm.create | nlm.exclusive,
    body: Buffer.concat([
      linkHeader(0, 0),
      ...linkAttributes(link),
      attribute(ifla.linkInfo, [attribute(info.kind, "bridge")]),
    ]),
  };
}

/** Change a link that is found by its name: what is absent stays. Brought up when `up`, after the other changes. */
export function setLink(
  link: LinkSettings & { readonly masterIndex?: number; readonly up?: boolean },
): NetlinkMessage {
  const master = link.masterIndex === undefined ? [] : [attribute(ifla.master, link.masterIndex)];
  return {
    type: rtm.setLink,
    body: Buffer.concat([linkHeader(0, link.up === true ? flagUp : 0), ...linkAttributes(link), ...master]),
  };
}

/** A link that makes no IPv6 address for itself: no duplicate detection, no router solicitation. Before it comes up. */
export function setLinkWithoutIpv6(name: string): NetlinkMessage {
  const family = attribute(familyInet6, [attribute(inet6AddressMode, Buffer.of(addressModeNone))]);
  return {
    type: rtm.setLink,
    body: Buffer.concat([linkHeader(0, 0), attribute(ifla.name, name), attribute(ifla.afSpec, [family])]),
  };
}

export function deleteLink(name: string): NetlinkMessage {
  return { type: rtm.delLink, body: Buffer.concat([linkHeader(0, 0), attribute(ifla.name, name)]) };
}

export interface InterfaceAddress {
  readonly index: number;
  readonly address: number;
  readonly prefixLength: number;
}

/** Give an interface an address (and the route to its subnet); an address that it has already stays. */
export function addAddress({ index, address, prefixLength }: InterfaceAddress): NetlinkMessage {
  const broadcast = (address | (0xffffffff >>> prefixLength)) >>> 0;
  return {
    type: rtm.newAddress,
    flags: nlm.create | nlm.replace,
    body: Buffer.concat([
      addressHeader(index, prefixLength),
      attribute(ifa.local, networkOrder(address)),
      attribute(ifa.address, networkOrder(address)),
      attribute(ifa.broadcast, networkOrder(broadcast)),
    ]),
  };
}

export function deleteAddress({ index, address, prefixLength }: InterfaceAddress): NetlinkMessage {
  return {
    type: rtm.delAddress,
    body: Buffer.concat([addressHeader(index, prefixLength), attribute(ifa.local, networkOrder(address))]),
  };
}

export function addDefaultRoute(options: {
  readonly index: number;
  readonly gateway: number;
}): NetlinkMessage {
  const bootProtocol = 3;
  const unicast = 1;
  return {
    type: rtm.newRoute,
    flags: nlm.create | nlm.exclusive,
    body: Buffer.concat([
      Buffer.of(familyInet, 0, 0, 0, mainTable, bootProtocol, 0, unicast, 0, 0, 0, 0),
      attribute(rta.gateway, networkOrder(options.gateway)),
      attribute(rta.outInterface, options.index),
    ]),
  };
}

export const listLinks: NetlinkMessage = {
  type: rtm.getLink,
  flags: nlm.dump,
  body: Buffer.concat([linkHeader(0, 0), attribute(ifla.extMask, skipStatistics)]),
};

export const listAddresses: NetlinkMessage = {
  type: rtm.getAddress,
  flags: nlm.dump,
  body: Buffer.of(familyInet, 0, 0, 0, 0, 0, 0, 0),
};

export const listRoutes: NetlinkMessage = {
  type: rtm.getRoute,
  flags: nlm.dump,
  body: Buffer.of(familyInet, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
};

export interface Link {
  readonly index: number;
  readonly name: string;
  /** `bridge`, `veth` ...; empty for hardware. */
  readonly kind: string;
}

/** The body of an answer to `listLinks`. */
export function parseLink(body: Buffer): Link {
  const attributes = parseAttributes(body.subarray(16));
  const linkInfo = parseAttributes(attributes.get(ifla.linkInfo) ?? Buffer.alloc(0));
  return {
    index: body.readInt32LE(4),
    name: attributeText(attributes.get(ifla.name)) ?? "",
    kind: attributeText(linkInfo.get(info.kind)) ?? "",
  };
}

/** The body of an answer to `listAddresses`; `undefined` where it is not an address that traffic could come from. */
export function parseAddress(body: Buffer): InterfaceAddress | undefined {
  const attributes = parseAttributes(body.subarray(8));
  const address = attributes.get(ifa.local) ?? attributes.get(ifa.address);
  if (address === undefined || address.length !== 4) return undefined;
  return { index: body.readUInt32LE(4), address: address.readUInt32BE(), prefixLength: body.readUInt8(1) };
}

export interface Route {
  readonly destination: number;
  readonly prefixLength: number;
  readonly outIndex: number | undefined;
}

/** The body of an answer to `listRoutes`; `undefined` for default routes and for tables of the host's own addresses. */
export function parseRoute(body: Buffer): Route | undefined {
  const localTable = 255;
  const attributes = parseAttributes(body.subarray(12));
  const prefixLength = body.readUInt8(1);
  const table = attributes.get(rta.table)?.readUInt32LE() ?? body.readUInt8(4);
  const destination = attributes.get(rta.destination)?.readUInt32BE();
  if (prefixLength === 0 || destination === undefined || table === localTable) return undefined;
  return { destination, prefixLength, outIndex: attributes.get(rta.outInterface)?.readUInt32LE() };
}

/** ifinfomsg: family u8, pad u8, type u16, index i32, flags u32, change mask u32. */
function linkHeader(index: number, flags: number): Buffer {
  const out = Buffer.alloc(16);
  out.writeInt32LE(index, 4);
  out.writeUInt32LE(flags, 8);
  out.writeUInt32LE(flags, 12);
  return out;
}

function linkAttributes({ name, macAddress, mtu }: LinkSettings): Buffer[] {
  const out = [attribute(ifla.name, name)];
  if (macAddress !== undefined)
    out.push(attribute(ifla.address, Buffer.from(macAddress.replaceAll(":", ""), "hex")));
  if (mtu !== undefined) out.push(attribute(ifla.mtu, mtu));
  return out;
}

/** ifaddrmsg: family u8, prefix length u8, flags u8, scope u8, index u32. */
function addressHeader(index: number, prefixLength: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeUInt8(familyInet, 0);
  out.writeUInt8(prefixLength, 1);
  out.writeUInt32LE(index, 4);
  return out;
}

function networkOrder(address: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(address);
  return out;
}
