import type { Socket } from "node:net";

const patienceMs = 5000;

/**
 * Close a connection whose client may still be sending: our side ends after what was written, what comes is dropped until
 * the client ends too or patience does. A plain close would reset the connection under the answer.
 */
export function closeGently(socket: Socket): void {
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), patienceMs);
  timer.unref();
  socket.once("close", () => clearTimeout(timer));
  socket.once("end", () => socket.destroySoon());
  socket.on("error", () => {}); // the client need not wait for our last word
  socket.end();
  if (socket.readableEnded) socket.destroySoon();
  else socket.resume();
}
