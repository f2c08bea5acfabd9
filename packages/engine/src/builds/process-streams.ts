import type { Socket } from "node:net";
import { PassThrough } from "node:stream";
import { FrameDecoder } from "@hawser/api";
import type { BuildProcess } from "@hawser/build/grpc";
import type { AttachOptions } from "@hawser/runtime";
import type { Collaborators } from "../containers/collaborators.ts";
import type { Container } from "../containers/container.ts";
import { startContainer } from "../containers/start.ts";

/**
 * Start a container that keeps no log: what its process says comes over the connection alone, from the first byte, also where the
 * disk has no room for it.
 *
 * @throws {Fault} as `startContainer`
 */
export async function startAttached(
  collaborators: Collaborators,
  container: Container,
  options: AttachOptions,
): Promise<Socket> {
  const { promise: streams, resolve, reject } = Promise.withResolvers<Socket>();
  streams.catch(() => {}); // told below
  container.pendingAttaches.add({ options, receive: resolve });
  try {
    await startContainer(collaborators, container);
  } catch (error) {
    reject(error);
    throw error;
  }
  return await streams;
}

/** What a process says, to its end. A connection that breaks has ended. @param onClose nothing can be sent any more either */
export function outputOf(
  stream: Socket,
  { tty, onClose = () => {} }: { readonly tty: boolean; readonly onClose?: () => void },
): BuildProcess["output"] {
  const bytes = new PassThrough();
  stream.on("error", () => {}); // the end of what it says
  stream.once("end", () => stream.destroy());
  stream.once("close", () => {
    onClose();
    bytes.end();
  });
  return framesOf(stream.pipe(bytes), tty);
}

async function* framesOf(bytes: PassThrough, tty: boolean): BuildProcess["output"] {
  const decoder = new FrameDecoder();
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    if (tty) yield { stream: "stdout", bytes: chunk };
    else {
      for (const { stream: name, payload } of decoder.decode(chunk)) {
        if (name === "stdout" || name === "stderr") yield { stream: name, bytes: payload };
      }
    }
  }
}
