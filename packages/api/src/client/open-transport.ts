import { connect, type Socket } from "node:net";
import { Fault, openProgramStream } from "@hawser/base";
import { clientFaults } from "./client-faults.ts";
import type { ClientTls, Endpoint } from "./endpoint.ts";

/** What carries a connection to an engine. */
export interface Transport {
  readonly socket: Socket;
  /** Why nothing came, when something in between knows more than that. */
  readonly explain?: () => Promise<string | undefined>;
}

/**
 * Reach an engine: by its socket, by TCP, by TLS, or through `ssh`, which starts a client beside the engine.
 *
 * @throws {Fault} `unavailable`, whose cause is the system's error; what `signal` aborts with
 */
export async function openTransport(endpoint: Endpoint, signal: AbortSignal | undefined): Promise<Transport> {
  signal?.throwIfAborted();
  if (endpoint.kind === "ssh") return openTunnel(endpoint);
  const tls = endpoint.kind === "tcp" ? endpoint.tls : undefined;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const where =
    endpoint.kind === "unix" ? { path: endpoint.path } : { host: endpoint.host, port: endpoint.port };
  const socket =
    tls === undefined
      ? connect({ ...where, allowHalfOpen: true })
      : (await import("node:tls")).connect({ ...where, ...tlsOptions(tls) });
  socket.setNoDelay(true);
  const onAbort = () => socket.destroy(Fault.from(signal?.reason));
  signal?.addEventListener("abort", onAbort, { once: true });
  socket.once(tls === undefined ? "connect" : "secureConnect", resolve);
  socket.once("error", reject);
  try {
    await promise;
  } catch (error) {
    socket.destroy();
    if (Fault.is(error)) throw error;
    throw clientFaults.ENGINE_UNREACHABLE(endpoint.text).because(error);
  } finally {
    signal?.removeEventListener("abort", onAbort);
    socket.off("error", reject);
  }
  return { socket };
}

function tlsOptions({ authority, certificate, key, insecure }: ClientTls) {
  const half: { readonly allowHalfOpen: boolean } = { allowHalfOpen: true }; // heeded, though it is in no type
  return {
    ...half,
    minVersion: "TLSv1.2" as const,
    rejectUnauthorized: !insecure,
    ...(authority !== undefined && { ca: authority }),
    ...(certificate !== undefined && { cert: certificate }),
    ...(key !== undefined && { key }),
  };
}

/** As Docker's client does, but that Hawser's own is asked first at the other end. */
function openTunnel(endpoint: Extract<Endpoint, { readonly kind: "ssh" }>): Transport {
  const { host, port, user, path, environment } = endpoint;
  const args = `${path === undefined ? "" : `--host unix://${path} `}system dial-stdio`;
  const script = `if command -v hawser >/dev/null 2>&1; then exec hawser ${args}; else exec docker ${args}; fi`;
  const options = [
    "-o",
    "ConnectTimeout=30",
    "-T",
    ...(user === undefined ? [] : ["-l", user]),
    ...(port === undefined ? [] : ["-p", String(port)]),
  ];
  const { socket, waitForEnd } = openProgramStream(["ssh", ...options, "--", host, script], {
    env: environment,
  });
  return {
    socket,
    explain: async () => {
      const { status, stderr } = await waitForEnd();
      return `is not reached: ssh to ${host} has ended with ${status}; make sure the URL is valid, and hawser or docker is installed on the remote host: stderr=${stderr.trim()}`;
    },
  };
}
