import { createSocket } from "node:dgram";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { errnoOf } from "@hawser/base";
import { openNamespaceOfProcess, socketInNamespace } from "@hawser/linux";
import { networkFaults } from "./faults.ts";
import { formatIp, parseIp } from "./ip-address.ts";
import { relayUdp } from "./udp-relay.ts";

/** Where a published port leads. */
export interface PortTarget {
  readonly address: string;
  readonly port: number;
}

/** A port of the host that is nobody else's until disposal. */
export interface PortReservation extends AsyncDisposable {
  /** The one that was asked for, or that the kernel chose. */
  readonly port: number;
}

export interface PortReservationOptions {
  readonly protocol: "tcp" | "udp" | "sctp";
  /** `0.0.0.0` and `::` are all addresses of their family, and of it alone. */
  readonly hostIp: string;
  readonly port: number;
  /** Where connections go that the rules did not take; `undefined`: nowhere. */
  readonly target: () => PortTarget | undefined;
}

/**
 * Take a port of the host, so that no program gets it meanwhile, and one that has it is found out. Connections that come to
 * it all the same are those that the rules cannot translate (from the host's own `::1`, or by IPv6 to a container without):
 * TCP is passed on, and UDP by IPv6, under the host's address.
 *
 * SCTP is not reserved: Node has no such sockets. See `hasSctp`.
 *
 * @throws {Fault} `unavailable`: `address already in use`, `cannot assign requested address`.
 */
export async function reservePort(options: PortReservationOptions): Promise<PortReservation> {
  const { protocol, hostIp, port } = options;
  try {
    if (protocol === "tcp") return await listenTcp(options);
    if (protocol === "udp") return await bindUdp(options);
    return { port, async [Symbol.asyncDispose]() {} };
  } catch (error) {
    throw reservationFault(error, `${bracketed(hostIp)}:${port}`);
  }
}

/** Whether this kernel has SCTP: where it has not, no container has either. Loads the module that is there. */
export function hasSctp(): boolean {
  const namespaceFd = openNamespaceOfProcess(process.pid);
  try {
    closeSync(socketInNamespace({ namespaceFd, protocol: "sctp", address: "127.0.0.1", port: 0 }));
    return true;
  } catch (error) {
    if (errnoOf(error) === "EPROTONOSUPPORT") return false;
    throw error;
  } finally {
    closeSync(namespaceFd);
  }
}

async function listenTcp({ hostIp, port, target }: PortReservationOptions): Promise<PortReservation> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    open.add(client);
    client.once("close", () => open.delete(client));
    passOn(client, target());
  });
  server.listen({ host: hostIp, port, ipv6Only: true, exclusive: true });
  await once(server, "listening");
  server.unref();
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}

function passOn(client: Socket, target: PortTarget | undefined): void {
  if (target === undefined) {
    client.destroy();
    return;
  }
  const upstream = connect({ host: target.address, port: target.port, allowHalfOpen: true });
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    one.on("error", () => other.destroy());
    one.on("close", () => other.destroy());
    one.pipe(other);
  }
}

/** By IPv4 all that can be translated has been: what comes is dropped. */
async function bindUdp({ hostIp, port, target }: PortReservationOptions): Promise<PortReservation> {
  const isIpv6 = hostIp.includes(":");
  const socket = createSocket({ type: isIpv6 ? "udp6" : "udp4", ipv6Only: isIpv6 });
  socket.bind({ address: hostIp, port, exclusive: true });
  await once(socket, "listening");
  socket.on("error", () => {});
  socket.unref();
  const relay = isIpv6 ? relayUdp(socket, target) : undefined;
  return {
    port: socket.address().port,
    async [Symbol.asyncDispose]() {
      relay?.[Symbol.dispose]();
      socket.close();
    },
  };
}

/** As Docker prints an address before a port. */
export function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

/** The canonical form; `undefined` for what is no address. */
export function canonicalIp(text: string): string | undefined {
  const address = parseIp(text);
  return address && formatIp(address);
}

function reservationFault(error: unknown, where: string): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "EADDRINUSE") return networkFaults.PORT_IN_USE("address already in use").because(error);
  if (code === "EADDRNOTAVAIL")
    return networkFaults.PORT_IN_USE("cannot assign requested address").because(error);
  if (code === "EACCES") return networkFaults.PORT_IN_USE("permission denied").because(error);
  return networkFaults.PORT_IN_USE(`${code || String(error)} (${where})`).because(error);
}
