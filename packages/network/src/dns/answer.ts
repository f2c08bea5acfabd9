import { isIPv6 } from "node:net";
import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  type Packet,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from "dns-packet";
import { formatIp, ipOfBytes } from "../ip-address.ts";
import type { NameZone } from "./name-zone.ts";

/** What becomes of a question. */
export type Outcome =
  | { readonly kind: "answer"; readonly message: Buffer }
  /** Nobody here: it is for the servers that the container was given. */
  | { readonly kind: "forward" }
  /** Not a question at all. */
  | { readonly kind: "drop" };

/** As Docker's: long enough to be worth keeping, and who keeps names forever is wrong anyway. */
const timeToLiveSeconds = 600;
/** RFC 1035 4.2.1, and what RFC 6891 lets a client raise it to that we send over a local link. */
const plainDatagramBytes = 512;
const mostDatagramBytes = 4096;

/**
 * Answer a question (RFC 1035) from a zone: A and AAAA of its names in changing order, PTR of its addresses; other types of its
 * names have no records. A datagram that is too small for all gets what fits, marked as truncated.
 *
 * @param options.random an index below its argument: where the order begins
 */
export function answerQuery(
  query: Buffer,
  zone: NameZone,
  options: { readonly transport: "udp" | "tcp"; readonly random: (below: number) => number },
): Outcome {
  const packet = decodeQuery(query);
  const [question, ...others] = packet?.questions ?? [];
  if (packet === undefined || question === undefined || others.length > 0) return { kind: "drop" };
  const name = question.name.toLowerCase().replace(/\.$/, "");
  const answers = findAnswers(name, { type: question.type, zone, ...options });
  if (answers === undefined) return { kind: "forward" };
  const wanted = (packet.flags ?? 0) & RECURSION_DESIRED;
  const response: Packet = {
    type: "response",
    id: packet.id ?? 0,
    flags: wanted | RECURSION_AVAILABLE | AUTHORITATIVE_ANSWER,
    questions: [question],
    answers: answers.map((answer) => ({ ...answer, name: question.name })),
  };
  return { kind: "answer", message: fit(response, limitOf(packet, options.transport)) };
}

/** A response without records: `2` the server failed, `5` it refuses. */
export function failureOf(query: Buffer, code: 2 | 5): Buffer {
  const message = Buffer.from(query.subarray(0, Math.max(12, endOfQuestion(query))));
  message.writeUInt16BE(0x8000 | (message.readUInt16BE(2) & 0x7900) | RECURSION_AVAILABLE | code, 2);
  message.writeUInt16BE(message.length > 12 ? 1 : 0, 4);
  message.fill(0, 6, 12);
  return message;
}

function decodeQuery(query: Buffer): Packet | undefined {
  // A response is nobody's question, and other operations than asking are not ours.
  if (query.length < 17 || (query.readUInt16BE(2) & 0xf800) !== 0) return undefined;
  try {
    return decode(query);
  } catch {
    return undefined;
  }
}

function findAnswers(
  name: string,
  options: { readonly type: string; readonly zone: NameZone; readonly random: (below: number) => number },
): readonly Answer[] | undefined {
  const { type, zone, random } = options;
  const base = { name, ttl: timeToLiveSeconds, class: "IN" as const };
  if (type === "PTR") {
    const address = addressOfReverse(name);
    const found = address === undefined ? undefined : zone.reverse(address);
    return found === undefined ? undefined : [{ ...base, type: "PTR", data: found }];
  }
  const addresses = zone.lookup(name);
  if (addresses === undefined) return undefined;
  const fitting = addresses.filter((address) =>
    type === "A" ? !isIPv6(address) : type === "AAAA" && isIPv6(address),
  );
  const start = fitting.length > 1 ? random(fitting.length) : 0;
  const turned = [...fitting.slice(start), ...fitting.slice(0, start)];
  return turned.map((data) => ({ ...base, type: type === "A" ? "A" : "AAAA", data }));
}

/** `2.0.17.172.in-addr.arpa`, or 32 digits and `ip6.arpa` (RFC 3596). */
function addressOfReverse(name: string): string | undefined {
  const [, quad] = /^((?:\d{1,3}\.){4})in-addr\.arpa$/.exec(name) ?? [];
  if (quad !== undefined) return quad.split(".").filter(Boolean).toReversed().join(".");
  const [, nibbles] = /^((?:[\da-f]\.){32})ip6\.arpa$/.exec(name) ?? [];
  if (nibbles === undefined) return undefined;
  return formatIp(ipOfBytes(Buffer.from(nibbles.replaceAll(".", "").split("").toReversed().join(""), "hex")));
}

function limitOf(packet: Packet, transport: "udp" | "tcp"): number {
  if (transport === "tcp") return 65_535;
  const extension = packet.additionals?.find(({ type }) => type === "OPT");
  const offered = extension !== undefined && "udpPayloadSize" in extension ? extension.udpPayloadSize : 0;
  return Math.min(mostDatagramBytes, Math.max(plainDatagramBytes, offered));
}

function fit(response: Packet, limit: number): Buffer {
  const whole = encode(response);
  if (whole.length <= limit) return whole;
  const { answers = [] } = response;
  const keep = Math.max(0, Math.floor((answers.length * limit) / whole.length) - 1);
  return encode({
    ...response,
    flags: (response.flags ?? 0) | TRUNCATED_RESPONSE,
    answers: answers.slice(0, keep),
  });
}

/** Where the first question ends; 0 when it is not whole. */
function endOfQuestion(message: Buffer): number {
  for (let at = 12; at < message.length; ) {
    const length = message[at] ?? 0;
    if (length === 0) return at + 5 <= message.length ? at + 5 : 0;
    if (length > 63) return 0;
    at += length + 1;
  }
  return 0;
}
