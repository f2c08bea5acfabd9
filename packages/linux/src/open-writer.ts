import { Socket } from "node:net";
import { native } from "./native.ts";
import { socketHandle } from "./sockets.ts";

/**
 * Another end to write to a connection with, so that `socket` can be read to its end: Node destroys a socket whose peer takes nothing
 * any more, with what has come and nobody has read. Whoever opened it ends it, which says that no more comes, or destroys it.
 *
 * @throws {Fault} `unavailable` when the socket has ended.
 */
export function openWriter(socket: Socket): Socket {
  const fd = native().duplicate(socketHandle(socket).fd);
  return new Socket({ fd, readable: false, writable: true, allowHalfOpen: true });
}
