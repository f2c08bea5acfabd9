import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { hijack } from "./hijack.ts";
import type { ApiRequest } from "./request.ts";
import type { ApiResponse } from "./response.ts";

/** Input comes in small messages; what a client may make the engine hold at once. */
const maxMessageBytes = 1 << 20;

/**
 * Take the connection of a request over as a websocket (RFC 6455): what is written goes out in binary messages, what comes in
 * messages of either kind is read; the end of writing closes it. Only for routes with `hijacks`.
 *
 * @returns `undefined` when the request is no handshake: it has been answered then
 * @throws {Fault} as `hijack`
 */
export async function openWebSocket(request: ApiRequest, response: ApiResponse): Promise<Duplex | undefined> {
  const headers = request.headerMap();
  const { createWebSocketStream, WebSocketServer } = await import("ws"); // few clients ask for one
  const { socket } = await hijack(request, response);
  // The part of Node's request that the library reads.
  const handshake = { method: request.method, url: request.path, headers } as unknown as IncomingMessage;
  const { promise, resolve } = Promise.withResolvers<Duplex | undefined>();
  socket.once("close", () => resolve(undefined));
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
  });
  server.handleUpgrade(handshake, socket, Buffer.alloc(0), (webSocket) =>
    resolve(createWebSocketStream(webSocket)),
  );
  return await promise;
}
