import type { Socket } from "node:net";
import type { Logger } from "@hawser/base";
import { closeGently } from "./close-gently.ts";
import { respondWithFault } from "./fault-response.ts";
import { httpFaults } from "./faults.ts";
import { RequestBody } from "./request-body.ts";
import { http2Preface, parseRequestHead, type RequestHead } from "./request-head.ts";
import { ApiResponse } from "./response.ts";
import { SocketInput } from "./socket-input.ts";

/** One request on a connection, before anyone knows its route. */
export interface Exchange {
  readonly head: RequestHead;
  readonly body: RequestBody;
  readonly response: ApiResponse;
  /** Have `onGone` called should the client leave while the answer is being made; not before the body has been read. */
  readonly watchClient: (onGone: () => void) => void;
}

export interface ConnectionOptions {
  /** Must answer, or take the connection over. */
  readonly handle: (exchange: Exchange) => Promise<void>;
  /** Gets a connection, whole, whose client speaks HTTP/2 without asking. */
  readonly serveHttp2: (socket: Socket) => void;
  readonly headers: ReadonlyMap<string, string>;
  readonly maxHeadBytes: number;
  /** From the first byte of a request to the last of its head. */
  readonly headTimeoutMs: number;
  /** Once it fires, each connection closes after the answer that it is at. */
  readonly stopping: AbortSignal;
  readonly log: Logger;
}

/** An unread body up to this size is read and dropped to keep the connection; beyond, the connection is closed. */
const maxDrainBytes = 256 << 10;

/**
 * Serve HTTP/1 on one connection, request after request, until it closes or is taken over. Own code rather than Node's
 * server, because a container's stream may begin right after any request's body, with or without an upgrade (Docker's
 * hijack), and Node's parser takes those bytes for a second request; and because the descriptor is handed on to another
 * process, which must get every byte.
 */
export async function serveConnection(socket: Socket, options: ConnectionOptions): Promise<void> {
  const input = new SocketInput(socket);
  const closeIdle = () => {
    if (idle) socket.destroy();
  };
  let idle = true;
  options.stopping.addEventListener("abort", closeIdle);
  try {
    for (let first = true; !options.stopping.aborted; first = false) {
      idle = true;
      const head = await readHead(socket, input, { ...options, first, onBegin: () => (idle = false) });
      if (head === "http2") {
        input.detach();
        options.serveHttp2(socket);
        return;
      }
      if (head === undefined) break;
      const outcome = await serveExchange(socket, input, { head, ...options });
      if (outcome === "taken") return;
      if (outcome === "close") break;
    }
    input.detach();
    closeGently(socket);
  } catch (thrown) {
    const response = new ApiResponse(socket, {
      version: "1.1",
      headOnly: false,
      keepAlive: () => false,
      headers: options.headers,
    });
    if (!socket.destroyed) respondWithFault(response, thrown, { log: options.log, what: "connection" });
    input.detach();
    closeGently(socket);
  } finally {
    options.stopping.removeEventListener("abort", closeIdle);
  }
}

async function serveExchange(
  socket: Socket,
  input: SocketInput,
  { head, handle, headers, stopping, log }: ConnectionOptions & { readonly head: RequestHead },
): Promise<"next" | "close" | "taken"> {
  const body = new RequestBody(input, head.framing, {
    beforeFirstRead: () => {
      if (head.expectsContinue && !response.started) socket.write("HTTP/1.1 100 Continue\r\n\r\n");
    },
  });
  const response = new ApiResponse(socket, {
    version: head.version,
    headOnly: head.method === "HEAD",
    keepAlive: () =>
      head.keepAlive &&
      !stopping.aborted &&
      (body.remainingBytes ?? Number.POSITIVE_INFINITY) <= maxDrainBytes,
    headers,
    onTake: () => input.detach(),
  });
  let finished = false;
  const watchClient = (onGone: () => void) => {
    void body.whenEnded.then(() => {
      if (!finished && !response.taken) input.watch(onGone);
    });
  };
  try {
    await handle({ head, body, response, watchClient });
  } catch (thrown) {
    respondWithFault(response, thrown, { log, what: `${head.method} ${head.target}` });
  } finally {
    finished = true;
    input.unwatch();
  }
  if (response.taken) return "taken";
  if (!response.done) {
    // Nothing else tells a client that an answer that has begun is not whole.
    socket.destroy();
    return "close";
  }
  if (!head.keepAlive || stopping.aborted || socket.destroyed) return "close";
  if (head.expectsContinue && !body.begun) return "close"; // whether the client sends its body now is not known
  try {
    return (await body.drain(maxDrainBytes)) ? "next" : "close";
  } catch {
    return "close"; // answered already; the rest of the body does not matter
  }
}

/** The next request's head, "http2" for the other protocol's greeting, `undefined` when the client ends instead. */
async function readHead(
  socket: Socket,
  input: SocketInput,
  options: {
    readonly first: boolean;
    readonly maxHeadBytes: number;
    readonly headTimeoutMs: number;
    readonly onBegin: () => void;
  },
): Promise<RequestHead | "http2" | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  let tail = Buffer.alloc(0);
  let timer: NodeJS.Timeout | undefined;
  try {
    for (;;) {
      let bytes = await input.read();
      if (bytes === undefined) {
        if (size > 0) throw httpFaults.REQUEST_MALFORMED("it ends in its head");
        return undefined;
      }
      if (size === 0) while (bytes[0] === 0x0d && bytes[1] === 0x0a) bytes = bytes.subarray(2); // RFC 9112, 2.2
      if (bytes.length === 0) continue;
      options.onBegin();
      timer ??= setTimeout(() => socket.destroy(), options.headTimeoutMs);
      const searched = Buffer.concat([tail, bytes]);
      const found = searched.indexOf("\r\n\r\n");
      const bare = searched.indexOf("\n\n");
      if (bare >= 0 && (found < 0 || bare < found)) throw httpFaults.REQUEST_MALFORMED("bare line feed");
      const own = found < 0 ? bytes : bytes.subarray(0, found + 4 - tail.length);
      size += own.length;
      if (size > options.maxHeadBytes) throw httpFaults.HEAD_TOO_LARGE(options.maxHeadBytes);
      chunks.push(own);
      if (found < 0) {
        tail = Buffer.from(searched.subarray(-3));
        continue;
      }
      const rest = bytes.subarray(own.length);
      const text = Buffer.concat(chunks).toString("latin1", 0, size - 4);
      if (options.first && text === http2Preface) {
        input.unread(Buffer.concat([...chunks, rest]));
        return "http2";
      }
      input.unread(rest);
      return parseRequestHead(text);
    }
  } finally {
    clearTimeout(timer);
  }
}
