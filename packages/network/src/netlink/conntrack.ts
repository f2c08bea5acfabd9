import { netlinkAsync } from "@hawser/linux";
import { formatIp, type IpAddress, parseIp } from "../ip-address.ts";
import {
  attribute,
  encodeMessages,
  type NetlinkMessage,
  nlm,
  parseAttributes,
  parseReply,
} from "./message.ts";

/*
 * The kernel's table of connections (linux/netfilter/nfnetlink_conntrack.h): a UDP "connection" goes on where it led when it
 * began, whatever the rules have come to say.
 */

const netfilterProtocol = 12;
const subsystem = 1 << 8; // NFNL_SUBSYS_CTNETLINK
const [get, remove] = [1, 2];
const [tupleOriginal, tupleReply, filter] = [1, 2, 25];
const [tupleIp, tupleProtocol] = [1, 2];
const [protocolNumber, sourcePort, destinationPort] = [1, 2, 3];
const udp = 17;
/** Of a filter: compare the protocol, compare the port of the destination. */
const [byProtocol, byDestinationPort] = [0x8, 0x20];

/** One direction of a connection. */
interface Tuple {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** A UDP connection that the kernel remembers, in both directions. */
export interface UdpConnection {
  /** As the client sees it. */
  readonly original: Tuple;
  /** As the answers come: from the container, where the rules led there. */
  readonly reply: Tuple;
}

/** Which connections are to be forgotten: those of a client to `port`, as `matches` has it. */
export interface UdpFilter {
  readonly family: 4 | 6;
  readonly port: number;
  readonly matches: (connection: UdpConnection) => boolean;
}

/** Forget UDP connections, so that the next datagram of each goes where the rules say now. */
export async function forgetUdp({ family, port, matches }: UdpFilter): Promise<void> {
  const { messages } = parseReply(await send(listUdp(family, port)));
  const found = messages.flatMap(({ body }) => {
    const attributes = parseAttributes(body.subarray(4));
    const original = attributes.get(tupleOriginal);
    const connection = {
      original: parseTuple(original),
      reply: parseTuple(attributes.get(tupleReply)),
      isUdp: protocolOf(original) === udp,
    };
    // A kernel before 5.8 lists all.
    const isOurs = connection.isUdp && connection.original.destinationPort === port && matches(connection);
    return isOurs && original !== undefined ? original : [];
  });
  if (found.length === 0) return;
  // One that has ended by itself meanwhile is not missed.
  await send(
    ...found.map((original) => message(remove, family, [attribute(tupleOriginal | nested, original)])),
  );
}

const nested = 0x8000;

async function send(...messages: readonly NetlinkMessage[]): Promise<Uint8Array> {
  return await netlinkAsync(encodeMessages(messages), { protocol: netfilterProtocol });
}

function listUdp(family: 4 | 6, port: number): NetlinkMessage {
  const flags = Buffer.alloc(4);
  flags.writeUInt32LE(byProtocol | byDestinationPort);
  return {
    ...message(get, family, [
      attribute(tupleOriginal | nested, [
        attribute(tupleProtocol | nested, [
          attribute(protocolNumber, Buffer.from([udp])),
          attribute(destinationPort, portBytes(port)),
        ]),
      ]),
      attribute(filter | nested, [attribute(1, flags)]),
    ]),
    flags: nlm.dump,
  };
}

/** The family as the kernel numbers it, version 0, no resource. */
function message(action: number, family: 4 | 6, attributes: readonly Uint8Array[]): NetlinkMessage {
  const head = Buffer.from([family === 4 ? 2 : 10, 0, 0, 0]);
  return { type: subsystem | action, body: Buffer.concat([head, ...attributes]) };
}

function portBytes(port: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(port);
  return bytes;
}

function protocolOf(tuple: Buffer | undefined): number {
  const protocol = parseAttributes(
    parseAttributes(tuple ?? Buffer.alloc(0)).get(tupleProtocol) ?? Buffer.alloc(0),
  );
  return protocol.get(protocolNumber)?.[0] ?? 0;
}

function parseTuple(tuple: Buffer | undefined): Tuple {
  const parts = parseAttributes(tuple ?? Buffer.alloc(0));
  const addresses = parseAttributes(parts.get(tupleIp) ?? Buffer.alloc(0));
  const ports = parseAttributes(parts.get(tupleProtocol) ?? Buffer.alloc(0));
  return {
    source: addressText(addresses.get(1) ?? addresses.get(3)),
    destination: addressText(addresses.get(2) ?? addresses.get(4)),
    sourcePort: ports.get(sourcePort)?.readUInt16BE() ?? 0,
    destinationPort: ports.get(destinationPort)?.readUInt16BE() ?? 0,
  };
}

function addressText(bytes: Buffer | undefined): string {
  if (bytes === undefined) return "";
  const text =
    bytes.length === 4
      ? bytes.join(".")
      : Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16)).join(":");
  const address: IpAddress | undefined = parseIp(text);
  return address === undefined ? "" : formatIp(address);
}
