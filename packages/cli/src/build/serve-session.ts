import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import { Fault } from "@hawser/base";
import { cliFaults } from "../faults.ts";

/** A call of the engine's. */
export interface SessionCall {
  /** What came with it; empty: nothing of that name. */
  readonly metadata: (name: string) => string;
  readonly messages: AsyncIterable<Uint8Array>;
}

/** What a session serves, by `/package.Service/Method`. */
export type SessionMethods = Readonly<
  Record<string, (call: SessionCall) => AsyncIterable<Uint8Array> | Promise<AsyncIterable<Uint8Array>>>
>;

/**
 * The client's end of a BuildKit session: on a connection that it opened, the engine calls and the client serves (gRPC's HTTP/2
 * mapping, "PROTOCOL-HTTP2"). All messages of the four services that are served here, Secrets, SSH, Upload and FileSend's
 * archives, are one field of bytes, number 1, or nothing; so a message is those bytes, and no library for protobuf is loaded.
 *
 * @returns to be disposed of when the build is over
 */
export function serveSession(socket: Duplex, methods: SessionMethods): Disposable {
  const server: Http2Server = createServer();
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {}); // whoever writes is told
    void answer(stream, headers, methods);
  });
  server.emit("connection", socket);
  socket.on("error", () => {});
  return { [Symbol.dispose]: () => void socket.destroy() };
}

async function answer(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  methods: SessionMethods,
): Promise<void> {
  const method = methods[String(headers[":path"])];
  const trailers = { code: 0, words: "" };
  stream.on("wantTrailers", () =>
    stream.sendTrailers({
      "grpc-status": String(trailers.code),
      "grpc-message": encodeURIComponent(trailers.words),
    }),
  );
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  try {
    if (method === undefined) throw cliFaults.SESSION_CALL(String(headers[":path"]));
    const metadata = (name: string) => String(headers[name] ?? "");
    for await (const bytes of await method({ metadata, messages: readMessages(stream) })) {
      if (stream.destroyed) return;
      if (!stream.write(encodeMessage(bytes))) await drained(stream);
    }
  } catch (error) {
    const { kind, message } = Fault.from(error);
    trailers.code = kind === "not-found" ? 5 : kind === "unavailable" ? 14 : 2;
    trailers.words = message;
  }
  stream.resume();
  stream.end();
}

async function drained(stream: ServerHttp2Stream): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.once("drain", resolve).once("close", resolve);
  await promise;
  stream.off("drain", resolve).off("close", resolve);
}

/** No message is longer. */
const maxMessageBytes = 16 << 20;

/** Who leaves off reading has not ended the call. */
async function* readMessages(stream: ServerHttp2Stream): AsyncGenerator<Uint8Array, void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5) {
      const size = rest.readUInt32BE(1);
      if (rest[0] !== 0 || size > maxMessageBytes) throw cliFaults.SESSION_CALL("a message of that kind");
      if (rest.length < 5 + size) break;
      yield decodeMessage(rest.subarray(5, 5 + size));
      rest = rest.subarray(5 + size);
    }
  }
}

/** @returns the message with its length before it */
export function encodeMessage(bytes: Uint8Array): Buffer {
  const field = bytes.length === 0 ? Buffer.alloc(0) : Buffer.from([0x0a, ...varint(bytes.length)]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(field.length + bytes.length, 1);
  return Buffer.concat([head, field, bytes]);
}

/** The first field of a message. @throws {Fault} `invalid-argument` for what is no such message */
export function decodeMessage(message: Uint8Array): Uint8Array {
  if (message.length === 0) return message;
  let size = 0;
  for (let at = 1; at < Math.min(message.length, 6); at++) {
    const byte = message[at] ?? 0;
    size += (byte & 0x7f) * 2 ** (7 * (at - 1));
    if (byte >= 0x80) continue;
    if (message[0] === 0x0a && at + 1 + size === message.length) return message.subarray(at + 1);
    break;
  }
  throw cliFaults.SESSION_CALL("a message of that kind");
}

function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}
