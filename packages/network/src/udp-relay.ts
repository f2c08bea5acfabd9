import { createSocket, type Socket } from "node:dgram";
import type { PortTarget } from "./port-reservation.ts";

/** Senders that are remembered at the same time; the one that has been silent for longest makes room. */
const maxFlows = 1024;
/** As long as the kernel remembers a UDP connection that has had an answer. */
const silenceMs = 120_000;

interface Flow {
  readonly socket: Socket;
  expiry: NodeJS.Timeout;
}

/**
 * Pass on what comes to a socket, under an address of this host, and what is answered to each sender. For what the rules cannot
 * translate: from the host's own `::1`, or by IPv6 to a container without.
 *
 * @param target where to; `undefined`: nowhere, and what comes is dropped
 */
export function relayUdp(from: Socket, target: () => PortTarget | undefined): Disposable {
  const flows = new Map<string, Flow>();
  const end = (key: string) => {
    const flow = flows.get(key);
    flows.delete(key);
    clearTimeout(flow?.expiry);
    flow?.socket.close();
  };
  const expire = (key: string) => setTimeout(() => end(key), silenceMs).unref();
  const open = (
    key: string,
    sender: { readonly address: string; readonly port: number },
    to: PortTarget,
  ): Flow => {
    const [oldest] = flows.keys();
    if (flows.size >= maxFlows && oldest !== undefined) end(oldest);
    const socket = createSocket(to.address.includes(":") ? "udp6" : "udp4");
    socket.on("error", () => end(key)); // nobody listens there: the next datagram tries again
    socket.on("message", (bytes) => from.send(bytes, sender.port, sender.address, () => {}));
    socket.connect(to.port, to.address);
    socket.unref();
    const flow = { socket, expiry: expire(key) };
    flows.set(key, flow);
    return flow;
  };
  from.on("message", (bytes, { address, port }) => {
    const to = target();
    if (to === undefined) return;
    const key = `${address} ${port} ${to.address} ${to.port}`;
    const flow = flows.get(key) ?? open(key, { address, port }, to);
    flows.delete(key); // the latest is the last
    flows.set(key, flow);
    clearTimeout(flow.expiry);
    flow.expiry = expire(key);
    const send = () => flows.get(key) === flow && flow.socket.send(bytes, () => {});
    if (isConnected(flow.socket)) send();
    else flow.socket.once("connect", send);
  });
  return {
    [Symbol.dispose]: () => {
      for (const key of flows.keys()) end(key);
    },
  };
}

function isConnected(socket: Socket): boolean {
  try {
    socket.remoteAddress();
    return true;
  } catch {
    return false;
  }
}
