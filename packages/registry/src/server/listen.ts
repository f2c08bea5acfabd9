import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

export interface ListenOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** How long a connection may be silent. */
  readonly idleMs?: number;
}

/** Answer requests. Disposal waits for answers that have begun, ten seconds at most. */
export async function listenForRequests(
  handler: RequestListener,
  { host, port, tls, idleMs = 120_000 }: ListenOptions,
): Promise<AsyncDisposable & { readonly url: string }> {
  const server: Server =
    tls === undefined
      ? createServer(handler)
      : createTlsServer({ cert: tls.certificate, key: tls.key, minVersion: "TLSv1.2" }, handler);
  // A push may take hours; what may not is silence.
  server.requestTimeout = 0;
  server.headersTimeout = 30_000;
  server.keepAliveTimeout = 75_000;
  server.setTimeout(idleMs, (socket) => socket.destroy());
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ host, port }, resolve);
  await promise;
  const bound = server.address() as AddressInfo;
  const address = bound.address.includes(":") ? `[${bound.address}]` : bound.address;
  return {
    url: `${tls === undefined ? "http" : "https"}://${address}:${bound.port}`,
    [Symbol.asyncDispose]: () => closeServer(server),
  };
}

async function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  const late = setTimeout(() => server.closeAllConnections(), 10_000);
  await promise;
  clearTimeout(late);
}
