import { closeSync } from "node:fs";
import type { Socket } from "node:net";
import { native } from "./native.ts";
import { type SocketHandle, socketHandle } from "./sockets.ts";

/** A connection that no longer belongs to Node. */
export interface ReleasedSocket {
  /** The caller's, to be closed; `O_NONBLOCK` is set on it. */
  readonly fd: number;
  /** What the peer had sent and nobody has read, in order; what it sends from now on is read from `fd`. */
  readonly unread: Buffer;
}

/**
 * Take a connection out of Node without the peer's noticing: reading stops, what has been written is flushed, the
 * descriptor is duplicated and the Node object destroyed (its `close` event follows), with no shutdown(2) and no lost
 * byte. So it can be handed to another process (`sendWithDescriptors`).
 *
 * For a connection of `node:http` call it in or after the `upgrade` event, when the parser has let go; the event's `head`
 * comes before `unread`. Remove `data` listeners first: what they were given is not unread any more.
 *
 * @throws {Fault} `unavailable` when the socket has ended; whatever `signal` aborts with, while bytes are still to be
 * flushed. After a failure the socket has been destroyed.
 */
export async function releaseSocket(
  socket: Socket,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ReleasedSocket> {
  try {
    stopReading(socket, socketHandle(socket));
    await flushed(socket, options.signal);
    const fd = native().duplicate(socketHandle(socket).fd);
    try {
      return { fd, unread: drain(socket) };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  } finally {
    socket.destroy();
  }
}

/** `pause` alone would let libuv read once more, into a buffer that nobody looks at. */
function stopReading(socket: Socket, handle: SocketHandle): void {
  socket.pause();
  handle.readStop();
}

async function flushed(socket: Socket, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  if (socket.writableLength === 0) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = () => reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  socket.once("error", reject);
  socket.once("close", resolve); // the descriptor is gone, which the next step says
  socket.write("", () => resolve());
  try {
    await promise;
  } finally {
    signal?.removeEventListener("abort", abort);
    socket.off("error", reject);
    socket.off("close", resolve);
  }
}

function drain(socket: Socket): Buffer {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk: unknown = socket.read();
    if (chunk === null) return Buffer.concat(chunks);
    chunks.push(
      typeof chunk === "string" ? Buffer.from(chunk, socket.readableEncoding ?? "utf8") : (chunk as Buffer),
    );
  }
}
