import { Agent } from "node:https";
import type { OnReadOpts } from "node:net";
import { TLSSocket } from "node:tls";

/** Takes what has come, good until it returns. False: read no more for now; `resume` goes on. */
export type Diversion = (bytes: Uint8Array) => boolean;

/** Absent: the bytes go through the connection's stream. */
const diversions = new WeakMap<TLSSocket, Diversion | undefined>();

/** What a connection has decrypted is copied out of here at once, so all have the same. As long as a record. */
const record = Buffer.allocUnsafeSlow(16 * 1024);

/**
 * Connections with encryption whose bytes can be had past their streams, by `divert`; those through a proxy's tunnel cannot. (Else
 * each record of 16 KB is decrypted into new memory of 64 KB.)
 */
export class DivertibleAgent extends Agent {
  override createConnection(...[options, callback]: Parameters<Agent["createConnection"]>) {
    let socket: ReturnType<Agent["createConnection"]>;
    const onread: OnReadOpts = {
      buffer: record,
      callback: (length, buffer) => {
        if (!(socket instanceof TLSSocket)) return true;
        const bytes = buffer.subarray(0, length);
        return diversions.get(socket)?.(bytes) ?? socket.push(Buffer.from(bytes));
      },
    };
    const diverted = { ...options, onread };
    socket = super.createConnection(diverted, callback);
    if (socket instanceof TLSSocket) diversions.set(socket, undefined);
    return socket;
  }
}

/** Whether `divert` can be called. */
export function isDivertible(socket: unknown): socket is TLSSocket {
  return socket instanceof TLSSocket && diversions.has(socket);
}

/** From now on `take` gets what comes. Returns what had come before and nobody has read; `resume` begins. */
export function divert(socket: TLSSocket, take: Diversion): Buffer {
  socket.pause();
  const unread: Buffer[] = [];
  for (let chunk: unknown = socket.read(); chunk !== null; chunk = socket.read())
    unread.push(chunk as Buffer);
  diversions.set(socket, take);
  return Buffer.concat(unread);
}
