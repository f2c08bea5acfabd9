import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { connect, createServer, Socket } from "node:net";
import { join } from "node:path";
import { connectUnix, sendWithDescriptors, socketDescriptor } from "@hawser/linux";
import { encodeFrame, type Fields, type Frame, FrameSocket } from "./frame-socket.ts";
import type { Container } from "./rig.ts";

/** A client whose connection was handed to a monitor. */
export interface HandedClient {
  /** The client's own end. */
  readonly client: FrameSocket;
  /** What the monitor answered to whoever handed it over. */
  readonly answer: Frame | undefined;
  /** The end that was handed over: still open here, as it is in an engine until it lets go. */
  readonly handed: Socket;
}

/**
 * As the engine does: a client connects to somebody, who gives the connection to the monitor; as `client` over the connection
 * that kept a place for it.
 */
export async function handOver(
  container: Container,
  kind: "attach" | "exec" | "client",
  fields: Fields & { readonly initial: string },
  place?: FrameSocket,
): Promise<HandedClient> {
  const path = join(container.dir, "clients.sock");
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  const accepted = Promise.withResolvers<Socket>();
  server.on("connection", accepted.resolve);
  const listening = Promise.withResolvers<void>();
  server.listen(path, listening.resolve);
  await listening.promise;
  const client = new FrameSocket(connect({ path, allowHalfOpen: true }));
  const handed = await accepted.promise;
  const fd =
    place === undefined ? connectUnix(join(container.dir, "monitor.sock")) : socketDescriptor(place.socket);
  const { initial } = fields;
  const wanted = { stdout: true, stderr: true, format: "raw", ...fields, initial: initial.length };
  sendWithDescriptors(fd, Buffer.concat([encodeFrame(kind, wanted), Buffer.from(initial)]), [
    socketDescriptor(handed),
  ]);
  using connection = place ?? new FrameSocket(new Socket({ fd, readable: true, writable: true }));
  const answer = await connection.next();
  assert.equal(await connection.next(), undefined);
  server.close();
  await rm(path, { force: true });
  if (answer?.kind !== "failed") handed.destroy();
  return { client, answer, handed };
}
