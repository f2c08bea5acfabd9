import { attribute, attributeText, type NetlinkMessage, nlm, parseAttributes } from "./message.ts";

/*
 * The messages of rtnetlink(7) about interfaces. Sizes, types and flags are those of linux/rtnetlink.h, if_link.h and veth.h.
 */

const rtm = { newLink: 16, delLink: 17, getLink: 18, setLink: 19 } as const;
const ifla = {
  address: 1,
  link: 5,
  name: 3,
  mtu: 4,
  master: 10,
  linkInfo: 18,
  afSpec: 26,
  namespaceFd: 28,
  extMask: 29,
  linkNamespaceId: 37,
} as const;
const info = { kind: 1, data: 2, portKind: 4, portData: 5 } as const;
const vethPeer = 1;
const macvlanMode = 1;
const vlanIdentifier = 1;
const portIsolated = 33;
const flagUp = 0x1;
const familyInet6 = 10;
const inet6AddressMode = 8;
const addressModeNone = 1;
const skipStatistics = 8;

/** An interface that is being made; what is absent is the kernel's choice. */
export interface LinkSettings {
  readonly name: string;
  readonly macAddress?: string;
  readonly mtu?: number;
}

/** A veth pair, both down: one end here with an index of our choice; the other in the namespace of `peer`. */
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
      linkHeader(here.index, 0),
      ...linkAttributes(here),
      attribute(ifla.linkInfo, linkInfo),
    ]),
  };
}

/** A bridge, down. */
export function createBridge(link: LinkSettings): NetlinkMessage {
  return createLink("bridge", link);
}

/** An interface that leads nowhere, down. */
export function createDummy(link: LinkSettings): NetlinkMessage {
  return createLink("dummy", link);
}

/** What of a parent's frames has a tag of IEEE 802.1Q, down. */
export function createVlan(
  link: LinkSettings & { readonly parentIndex: number; readonly vlanId: number },
): NetlinkMessage {
  const id = Buffer.alloc(2);
  id.writeUInt16LE(link.vlanId);
  return createLink("vlan", link, {
    place: [attribute(ifla.link, link.parentIndex)],
    data: [attribute(vlanIdentifier, id)],
  });
}

/**
 * An interface of its own on the link of a parent (`macvlan`, `ipvlan`), down, in the namespace of `namespaceFd`. Its index is the
 * kernel's choice: before 6.13 one of ours must be free in the parent's namespace, too.
 */
export function createChildLink(
  link: LinkSettings & {
    readonly kind: "macvlan" | "ipvlan";
    readonly parentIndex: number;
    readonly namespaceFd: number;
    /** MACVLAN_MODE_* or IPVLAN_MODE_*. */
    readonly mode: number;
  },
): NetlinkMessage {
  const mode = Buffer.alloc(link.kind === "macvlan" ? 4 : 2);
  if (link.kind === "macvlan") mode.writeUInt32LE(link.mode);
  else mode.writeUInt16LE(link.mode);
  return createLink(link.kind, link, {
    place: [attribute(ifla.link, link.parentIndex), attribute(ifla.namespaceFd, link.namespaceFd)],
    data: [attribute(macvlanMode, mode)],
  });
}

/** @param more.place where it is, @param more.data what links of its kind have of their own */
function createLink(
  kind: string,
  link: LinkSettings,
  more: {
    readonly place?: readonly Buffer[];
    readonly data?: readonly Buffer[];
  } = {},
): NetlinkMessage {
  const { place = [], data } = more;
  const own = data === undefined ? [] : [attribute(info.data, data)];
  return {
    type: rtm.newLink,
    flags: nlm.create | nlm.exclusive,
    body: Buffer.concat([
      linkHeader(0, 0),
      ...linkAttributes(link),
      ...place,
      attribute(ifla.linkInfo, [attribute(info.kind, kind), ...own]),
    ]),
  };
}

/** Keep a port of a bridge from all others that are kept so too: its frames reach the bridge itself alone. */
export function isolatePort(name: string): NetlinkMessage {
  const port = [
    attribute(info.portKind, "bridge"),
    attribute(info.portData, [attribute(portIsolated, Buffer.of(1))]),
  ];
  return {
    type: rtm.newLink,
    body: Buffer.concat([linkHeader(0, 0), attribute(ifla.name, name), attribute(ifla.linkInfo, port)]),
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

/** Take an interface away, with the other end of a pair. */
export function deleteLink(name: string): NetlinkMessage {
  return { type: rtm.delLink, body: Buffer.concat([linkHeader(0, 0), attribute(ifla.name, name)]) };
}

/** All interfaces, without their statistics; answers are `parseLink`'s. */
export const listLinks: NetlinkMessage = {
  type: rtm.getLink,
  flags: nlm.dump,
  body: Buffer.concat([linkHeader(0, 0), attribute(ifla.extMask, skipStatistics)]),
};

/** An interface, as the kernel tells it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** `bridge`, `veth` ...; empty for hardware. */
  readonly kind: string;
  /** What it is on, or its other end, is in another namespace. */
  readonly leadsOut: boolean;
}

/** The body of an answer to `listLinks`. */
export function parseLink(body: Buffer): Link {
  const attributes = parseAttributes(body.subarray(16));
  const linkInfo = parseAttributes(attributes.get(ifla.linkInfo) ?? Buffer.alloc(0));
  return {
    index: body.readInt32LE(4),
    name: attributeText(attributes.get(ifla.name)) ?? "",
    kind: attributeText(linkInfo.get(info.kind)) ?? "",
    leadsOut: attributes.has(ifla.linkNamespaceId),
  };
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
