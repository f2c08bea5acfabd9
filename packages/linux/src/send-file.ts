import type { Socket } from "node:net";
import { native } from "./native.ts";
import { socketDescriptor } from "./sockets.ts";

/**
 * Send bytes of an open file to a connected socket, as many as it takes at once and at most 16 MiB, without bringing them into this
 * process' memory (sendfile(2)). Returns how many: 0 when it takes none now, or the file ends. The socket must be a plain one, and
 * have nothing queued in Node; what Node writes to it afterwards comes behind.
 *
 * @throws {Error} with `code` `EPIPE`, `ECONNRESET` when the other side has left.
 */
export async function sendFile(
  socket: Socket,
  options: { readonly fd: number; readonly position: number; readonly length: number },
): Promise<number> {
  const { fd, position, length } = options;
  return await native().sendFile(socketDescriptor(socket), fd, position, length);
}
