import { bytesOfIp, type IpAddress, type IpPrefix, ipOfBytes, lastOf, prefixOf } from "../ip-address.ts";
import { attribute, type NetlinkMessage, nlm, parseAttributes } from "./message.ts";

/*
 * The messages of rtnetlink(7) about addresses and routes. Sizes, types and flags are those of linux/rtnetlink.h and
 * if_addr.h.
 */

const rtm = { newAddress: 20, delAddress: 21, getAddress: 22, newRoute: 24, getRoute: 26 } as const;
const ifa = { address: 1, local: 2, broadcast: 4, flags: 8 } as const;
const rta = { destination: 1, outInterface: 4, gateway: 5, table: 15 } as const;
/** Without duplicate detection: an IPv6 address is usable at once. */
const addressNoDad = 0x02;
const mainTable = 254;
const families = { 4: 2, 6: 10 } as const;

/** An address of the interface of that index. */
export interface InterfaceAddress {
  readonly index: number;
  readonly address: IpAddress;
  readonly prefixLength: number;
}

/** Give an interface an address (and the route to its subnet); an address that it has already stays. */
export function addAddress({ index, address, prefixLength }: InterfaceAddress): NetlinkMessage {
  const broadcast: IpAddress = { family: 4, value: lastOf(prefixOf(address, prefixLength)) };
  const bytes = bytesOfIp(address);
  return {
    type: rtm.newAddress,
    flags: nlm.create | nlm.replace,
    body: Buffer.concat([
      addressHeader({ index, address, prefixLength }),
      attribute(ifa.local, bytes),
      attribute(ifa.address, bytes),
      ...(address.family === 4
        ? [attribute(ifa.broadcast, bytesOfIp(broadcast))]
        : [attribute(ifa.flags, addressNoDad)]),
    ]),
  };
}

/** Take an address from its interface. */
export function deleteAddress(which: InterfaceAddress): NetlinkMessage {
  return {
    type: rtm.delAddress,
    body: Buffer.concat([addressHeader(which), attribute(ifa.local, bytesOfIp(which.address))]),
  };
}

/** The way to everything else, in place of the one that there is: through a gateway, or directly out of the interface. */
export function setDefaultRoute(options: {
  readonly index: number;
  readonly family: 4 | 6;
  readonly gateway?: IpAddress;
}): NetlinkMessage {
  const bootProtocol = 3;
  const unicast = 1;
  const linkScope = 253;
  const scope = options.gateway === undefined && options.family === 4 ? linkScope : 0;
  return {
    type: rtm.newRoute,
    flags: nlm.create | nlm.replace,
    body: Buffer.concat([
      Buffer.of(families[options.family], 0, 0, 0, mainTable, bootProtocol, scope, unicast, 0, 0, 0, 0),
      ...(options.gateway === undefined ? [] : [attribute(rta.gateway, bytesOfIp(options.gateway))]),
      attribute(rta.outInterface, options.index),
    ]),
  };
}

/** Addresses of all interfaces; answers are `parseAddress`'s. */
export const listAddresses: NetlinkMessage = {
  type: rtm.getAddress,
  flags: nlm.dump,
  body: Buffer.alloc(8),
};

/** All routes; answers are `parseRoute`'s. */
export const listRoutes: NetlinkMessage = {
  type: rtm.getRoute,
  flags: nlm.dump,
  body: Buffer.alloc(12),
};

/** The body of an answer to `listAddresses`; `undefined` where it is not an address that traffic could come from. */
export function parseAddress(body: Buffer): InterfaceAddress | undefined {
  const attributes = parseAttributes(body.subarray(8));
  const bytes = attributes.get(ifa.local) ?? attributes.get(ifa.address);
  if (bytes === undefined || (bytes.length !== 4 && bytes.length !== 16)) return undefined;
  return { index: body.readUInt32LE(4), address: ipOfBytes(bytes), prefixLength: body.readUInt8(1) };
}

/** Where what goes to a prefix leaves. */
export interface Route {
  readonly destination: IpPrefix;
  readonly outIndex: number | undefined;
}

/**
 * The body of an answer to `listRoutes`; `undefined` for default routes, for tables of the host's own addresses and for
 * what each interface has (link-local, multicast).
 */
export function parseRoute(body: Buffer): Route | undefined {
  const localTable = 255;
  const attributes = parseAttributes(body.subarray(12));
  const length = body.readUInt8(1);
  const table = attributes.get(rta.table)?.readUInt32LE() ?? body.readUInt8(4);
  const bytes = attributes.get(rta.destination);
  if (length === 0 || bytes === undefined || table === localTable) return undefined;
  if (bytes.length !== 4 && bytes.length !== 16) return undefined;
  const address = ipOfBytes(bytes);
  if (address.family === 6 && (bytes[0] === 0xfe || bytes[0] === 0xff)) return undefined;
  return {
    destination: prefixOf(address, length),
    outIndex: attributes.get(rta.outInterface)?.readUInt32LE(),
  };
}

/** ifaddrmsg: family u8, prefix length u8, flags u8, scope u8, index u32. */
function addressHeader({ index, address, prefixLength }: InterfaceAddress): Buffer {
  const out = Buffer.alloc(8);
  out.writeUInt8(families[address.family], 0);
  out.writeUInt8(prefixLength, 1);
  out.writeUInt32LE(index, 4);
  return out;
}
