import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { deflate, gzip } from "node:zlib";
import { goQuote } from "@hawser/base";
import { runtimeFaults } from "../../faults.ts";
import { DatagramConnection, LogConnection } from "./connection.ts";
import type { LogDriver, LogMessage, LogOptionValues, LogSubject } from "./log-driver.ts";
import { parseLogAddress } from "./option-values.ts";

/** To Graylog, Logstash and others that read GELF 1.1, by UDP or TCP. */
export const gelfDriver: LogDriver = {
  options: [
    "gelf-address",
    "gelf-compression-level",
    "gelf-compression-type",
    "gelf-tcp-max-reconnect",
    "gelf-tcp-reconnect-delay",
  ],
  check(options) {
    const { scheme } = parsePlace(options);
    for (const [name, value] of Object.entries(options)) checkValue(scheme, name, value);
  },
  async open(options, subject) {
    const place = parsePlace(options);
    const encode = (message: LogMessage) => Buffer.from(formatGelf(message, subject));
    if (place.scheme === "tcp") {
      const connection = await openTcp(place);
      return {
        send: async (messages) =>
          await connection.write(
            Buffer.concat(messages.filter(hasText).flatMap((message) => [encode(message), endOfMessage])),
          ),
        [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
      };
    }
    const compress = compression(options);
    const connection = await DatagramConnection.open(place.host, place.port);
    return {
      async send(messages) {
        for (const message of messages.filter(hasText))
          for (const chunk of chunksOf(await compress(encode(message)))) await connection.send(chunk);
      },
      [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
    };
  },
};

const endOfMessage = Buffer.from([0]);
const hasText = ({ text }: LogMessage) => text !== "";
const refused = (words: string) => runtimeFaults.LOG_OPTION_INVALID(words);

interface GelfPlace {
  readonly scheme: "udp" | "tcp";
  readonly host: string;
  readonly port: number;
}

function parsePlace(options: LogOptionValues): GelfPlace {
  const text = options["gelf-address"] ?? "";
  if (text === "") throw refused("gelf-address is a required parameter");
  const address = parseLogAddress(text);
  const scheme = address?.scheme;
  if (address === undefined || (scheme !== "udp" && scheme !== "tcp"))
    throw refused("gelf: endpoint needs to be TCP or UDP");
  if (address.port === undefined) throw refused("gelf: please provide gelf-address as proto://host:port");
  return { scheme, host: address.host, port: address.port };
}

function checkValue(scheme: GelfPlace["scheme"], name: string, value: string): void {
  const unknown = () =>
    refused(`unknown value ${goQuote(value)} for log opt ${goQuote(name)} for gelf log driver`);
  switch (name) {
    case "gelf-compression-level":
    case "gelf-compression-type":
      if (scheme !== "udp") throw refused("compression is only supported on UDP");
      if (name === "gelf-compression-type" && !["gzip", "zlib", "none"].includes(value)) throw unknown();
      if (name === "gelf-compression-level" && !/^(-1|\d)$/.test(value)) throw unknown();
      return;
    case "gelf-tcp-max-reconnect":
    case "gelf-tcp-reconnect-delay":
      if (scheme !== "tcp") throw refused(`${goQuote(name)} is only valid for TCP`);
      if (!/^\+?\d+$/.test(value)) throw refused(`${goQuote(name)} must be a positive integer`);
      return;
    default:
      return;
  }
}

async function openTcp({ host, port }: GelfPlace): Promise<LogConnection> {
  try {
    return await LogConnection.open({ transport: "tcp", host, port });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`gelf: cannot connect to GELF endpoint: ${host}:${port} ${why}`, { cause: error });
  }
}

/** One message, as JSON. */
export function formatGelf({ text, stream, time }: LogMessage, subject: LogSubject): string {
  const named = Object.entries(subject.attributes).map(
    ([name, value]) => [name.startsWith("_") ? name : `_${name}`, value] as const,
  );
  return JSON.stringify({
    version: "1.1",
    host: subject.hostname,
    short_message: text,
    timestamp: Date.parse(time) / 1000,
    level: stream === "stderr" ? 3 : 6,
    _command: subject.command,
    _container_id: subject.containerId,
    _container_name: subject.containerName,
    _created: subject.created,
    _image_id: subject.imageId,
    _image_name: subject.imageName,
    _tag: subject.tag,
    ...Object.fromEntries(named),
  });
}

const gzipBytes = promisify<Buffer, { level: number }, Buffer>(gzip);
const deflateBytes = promisify<Buffer, { level: number }, Buffer>(deflate);

function compression(options: LogOptionValues): (bytes: Buffer) => Promise<Buffer> {
  const level = Number(options["gelf-compression-level"] ?? 1);
  switch (options["gelf-compression-type"] ?? "gzip") {
    case "none":
      return async (bytes) => bytes;
    case "zlib":
      return (bytes) => deflateBytes(bytes, { level });
    default:
      return (bytes) => gzipBytes(bytes, { level });
  }
}

/** Payload of a datagram that reaches most receivers whole. */
const chunkBytes = 1420;
const chunkHeadBytes = 12;
const mostChunks = 128;

/**
 * A message as datagrams: itself, or chunks of it,
 *
 *     1e 0f | 8 bytes: message | 1 byte: which chunk | 1 byte: of how many | content
 *
 * None when it has too many: no receiver would take it.
 */
export function chunksOf(message: Buffer): readonly Buffer[] {
  if (message.length <= chunkBytes) return [message];
  const content = chunkBytes - chunkHeadBytes;
  const count = Math.ceil(message.length / content);
  if (count > mostChunks) return [];
  const id = randomBytes(8);
  return Array.from({ length: count }, (_, index) =>
    Buffer.concat([
      Buffer.from([0x1e, 0x0f]),
      id,
      Buffer.from([index, count]),
      message.subarray(index * content, (index + 1) * content),
    ]),
  );
}
