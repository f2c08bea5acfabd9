import { createServer, type Http2Server } from "node:http2";
import type { Logger } from "@hawser/base";

/** gRPC's status code for a service that is not there. */
const grpcUnimplemented = "12";

/**
 * The HTTP/2 side of the engine's address (BuildKit's services, for clients that speak it without asking). No service is
 * there in this version: gRPC calls get UNIMPLEMENTED, everything else 501 with the reason. Gets its connections by
 * `emit("connection", socket)`.
 */
export function createHttp2Front({ log }: { readonly log: Logger }): Http2Server {
  const server = createServer();
  server.on("sessionError", (error) => log.debug("HTTP/2 session failed", { error }));
  server.on("stream", (stream, headers) => {
    const path = String(headers[":path"] ?? "");
    stream.on("error", (error) => log.debug("HTTP/2 stream failed", { error }));
    stream.resume();
    if (String(headers["content-type"] ?? "").startsWith("application/grpc")) {
      const message = encodeURIComponent(`no service is at ${path}`);
      stream.respond(
        {
          ":status": 200,
          "content-type": "application/grpc",
          "grpc-status": grpcUnimplemented,
          "grpc-message": message,
        },
        { endStream: true },
      );
      return;
    }
    stream.respond({ ":status": 501, "content-type": "application/json" });
    stream.end('{"message":"the Engine API is served over HTTP/1.1 only"}\n');
  });
  return server;
}
