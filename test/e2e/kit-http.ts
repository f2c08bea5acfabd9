import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { eventually } from "@hawser/base/testing";
import type { Json } from "./kit-target.ts";

/** So that a test ends; two hundred who ask at once on a busy machine are all answered before. */
const patienceMs = 120_000;

/** An answer of the API, whole. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON. @throws {SyntaxError} */
  json(): Json;
}

/** One request with a JSON body, bytes as they are, or none. */
export async function ask(
  socketPath: string,
  what: string,
  options: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Answer> {
  const [method = "", path = ""] = what.split(" ");
  const isRaw = options.body === undefined || options.body instanceof Uint8Array;
  const body = isRaw ? options.body : JSON.stringify(options.body);
  const headers = { ...(!isRaw && { "content-type": "application/json" }), ...options.headers };
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const asked = request({ socketPath, method, path, headers, agent: false }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    response.on("error", reject);
    response.on("end", () =>
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        text,
        json: () => JSON.parse(text) as Json,
      }),
    );
  });
  asked.setTimeout(patienceMs, () => asked.destroy(new Error(`no answer to ${what}`)));
  asked.on("error", reject);
  asked.end(body);
  return await promise;
}

/** A connection of which the test sees every byte. */
export interface RawConnection extends Disposable {
  readonly socket: Socket;
  /** What has come so far; bytes above 127 as Latin-1. */
  received(): string;
  /** Wait until what has come satisfies the condition. */
  until(condition: (received: string) => boolean): Promise<string>;
  /** Settles when the other side has ended its half. */
  readonly ended: Promise<void>;
}

/** Connect and write. */
export function openRaw(socketPath: string, text: string): RawConnection {
  const socket = connect({ path: socketPath, allowHalfOpen: true });
  let received = "";
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  socket.setEncoding("latin1");
  socket.on("data", (chunk: string) => {
    received += chunk;
  });
  socket.on("end", resolve);
  socket.on("error", () => resolve());
  socket.write(text);
  return {
    socket,
    received: () => received,
    ended,
    async until(condition) {
      await eventually(() => condition(received)).catch((cause: unknown) => {
        throw new Error(`did not come: ${JSON.stringify(received)}`, { cause });
      });
      return received;
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

/** Head and body of what `openRaw` received. */
export function splitHead(received: string): { readonly head: string; readonly body: string } {
  const end = received.indexOf("\r\n\r\n");
  return { head: received.slice(0, end), body: received.slice(end + 4) };
}

/** Docker's frames as [stream, text], what is not whole left out. */
export function readFrames(body: string): [number, string][] {
  const bytes = Buffer.from(body, "latin1");
  const frames: [number, string][] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt32BE(at + 4);
    frames.push([bytes.readUInt8(at), bytes.toString("utf8", at + 8, at + 8 + size)]);
    at += 8 + size;
  }
  return frames;
}
