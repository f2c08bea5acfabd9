/**
 * The netlink wire format (linux/netlink.h), in the byte order of the hosts that Hawser runs on, little-endian:
 *
 *     message    length u32 | type u16 | flags u16 | sequence u32 | port u32 | body, padded to 4
 *     attribute  length u16 | type u16 | value, padded to 4
 */
export interface NetlinkMessage {
  readonly type: number;
  /** Beside `NLM_F_REQUEST` and, unless it is a dump, `NLM_F_ACK`. */
  readonly flags?: number;
  readonly body: Uint8Array;
}

/** Flags of requests. */
export const nlm = {
  request: 0x1,
  ack: 0x4,
  dump: 0x300,
  exclusive: 0x200,
  create: 0x400,
  replace: 0x100,
} as const;

const errorType = 2;
const doneType = 3;
const dumpInterrupted = 0x10;
const cappedFlag = 0x100;
const messageAttribute = 1;

/** Several messages in one piece; the sequence number of each is its place, from 0. */
export function encodeMessages(messages: readonly NetlinkMessage[]): Buffer {
  return Buffer.concat(
    messages.map(({ type, flags = 0, body }, sequence) => {
      const isDump = (flags & nlm.dump) === nlm.dump && (flags & nlm.create) === 0;
      const out = Buffer.alloc(align(16 + body.length));
      out.writeUInt32LE(16 + body.length, 0);
      out.writeUInt16LE(type, 4);
      out.writeUInt16LE(flags | nlm.request | (isDump ? 0 : nlm.ack), 6);
      out.writeUInt32LE(sequence, 8);
      out.set(body, 16);
      return out;
    }),
  );
}

/** An attribute of a number (u32), a text (with its NUL), bytes, or other attributes in it. */
export function attribute(type: number, value: number | string | Uint8Array | readonly Uint8Array[]): Buffer {
  const bytes = attributeValue(value);
  const out = Buffer.alloc(align(4 + bytes.length));
  out.writeUInt16LE(4 + bytes.length, 0);
  out.writeUInt16LE(type, 2);
  out.set(bytes, 4);
  return out;
}

function attributeValue(value: number | string | Uint8Array | readonly Uint8Array[]): Uint8Array {
  if (typeof value === "string") return Buffer.from(`${value}\0`);
  if (typeof value === "number") {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  }
  return value instanceof Uint8Array ? value : Buffer.concat(value);
}

/** Attributes by type; of several with one type the last. Stops at what is not well formed. */
export function parseAttributes(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) break;
    found.set(bytes.readUInt16LE(at + 2) & 0x3fff, bytes.subarray(at + 4, at + length));
    at += align(length);
  }
  return found;
}

/** The text of an attribute, without its NUL. */
export function attributeText(value: Buffer | undefined): string | undefined {
  return value?.toString("utf8").replace(/\0.*$/s, "");
}

/** A message that the kernel refused. */
export interface Refusal {
  /** Place of the message in the request. */
  readonly sequence: number;
  readonly errno: number;
  /** The kernel's own words; may be empty. */
  readonly reason: string;
}

/** What was answered to some messages. */
export interface NetlinkReply {
  readonly messages: readonly { readonly type: number; readonly body: Buffer }[];
  readonly refusals: readonly Refusal[];
  /** What was listed changed meanwhile: ask again for a picture without gaps. */
  readonly interrupted: boolean;
}

/** A message as it lies in its piece (netlink(7), `nlmsghdr`); the body is without header. */
export interface RawMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly body: Buffer;
}

/** The messages of a piece, as far as they are whole. */
export function* splitMessages(bytes: Buffer): Generator<RawMessage> {
  for (let at = 0; at + 16 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    if (length < 16 || at + length > bytes.length) return;
    yield {
      type: bytes.readUInt16LE(at + 4),
      flags: bytes.readUInt16LE(at + 6),
      sequence: bytes.readUInt32LE(at + 8),
      body: bytes.subarray(at + 16, at + length),
    };
    at += align(length);
  }
}

/** What the kernel answered to `encodeMessages`. */
export function parseReply(reply: Uint8Array): NetlinkReply {
  const messages: { type: number; body: Buffer }[] = [];
  const refusals: Refusal[] = [];
  let interrupted = false;
  const bytes = Buffer.from(reply.buffer, reply.byteOffset, reply.byteLength);
  for (const { type, flags, sequence, body } of splitMessages(bytes)) {
    interrupted ||= (flags & dumpInterrupted) !== 0;
    if (type === errorType) {
      const errno = -body.readInt32LE(0);
      if (errno !== 0) refusals.push({ sequence, errno, reason: reasonOf(body, flags) });
    } else if (type !== doneType) {
      messages.push({ type, body });
    }
  }
  return { messages, refusals, interrupted };
}

/** After the errno the question follows, whole or (capped) its header alone, then attributes. */
function reasonOf(body: Buffer, flags: number): string {
  const question = (flags & cappedFlag) === 0 && body.length >= 8 ? body.readUInt32LE(4) : 16;
  return attributeText(parseAttributes(body.subarray(4 + align(question))).get(messageAttribute)) ?? "";
}

function align(size: number): number {
  return (size + 3) & ~3;
}
