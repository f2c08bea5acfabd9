import type { Socket } from "node:net";
import { FrameDecoder } from "@hawser/api";
import { DetachScanner } from "./detach-keys.ts";
import { cliFaults } from "./faults.ts";
import type { Input, Output } from "./session.ts";

export interface AttachedStreams {
  readonly socket: Socket;
  /** A terminal sends its output as it is; otherwise stdout and stderr come in frames. */
  readonly tty: boolean;
  readonly stdin?: Input;
  readonly stdout?: Output;
  readonly stderr?: Output;
  /** Looked for in the input when `tty`. */
  readonly detachKeys: Buffer;
}

export type StreamsEnd = "output-ended" | "detached";

/**
 * Join a container's streams with ours until its output ends or the user types the detach keys. The end of our input
 * half-closes the connection; output goes on. Neither side is read faster than the other takes it.
 *
 * @throws {Fault} `internal` with the engine's words for a failure that it tells inside the stream; what was already written
 *     stays written.
 */
export async function joinStreams(streams: AttachedStreams): Promise<StreamsEnd> {
  const { promise, resolve, reject } = Promise.withResolvers<StreamsEnd>();
  const input =
    streams.stdin === undefined ? undefined : sendInput(streams, streams.stdin, () => resolve("detached"));
  readOutput(streams).then(() => resolve("output-ended"), reject);
  try {
    return await promise;
  } finally {
    input?.[Symbol.dispose]();
    streams.socket.destroy();
  }
}

function sendInput(streams: AttachedStreams, stdin: Input, onDetach: () => void): Disposable {
  const { socket } = streams;
  const scanner = new DetachScanner(streams.tty && stdin.isTTY ? streams.detachKeys : Buffer.alloc(0));
  const onData = (chunk: Buffer) => {
    const { input, detached } = scanner.scan(chunk);
    if (input.length > 0 && socket.writable && !socket.write(input)) stdin.pause();
    if (detached) onDetach();
  };
  const onDrain = () => stdin.resume();
  const onEnd = () => {
    if (socket.writable) socket.end();
  };
  stdin.on("data", onData);
  stdin.on("end", onEnd);
  stdin.on("error", onEnd);
  socket.on("drain", onDrain);
  return {
    [Symbol.dispose]() {
      stdin.off("data", onData);
      stdin.off("end", onEnd);
      stdin.off("error", onEnd);
      socket.off("drain", onDrain);
      stdin.pause();
    },
  };
}

async function readOutput(streams: AttachedStreams): Promise<void> {
  const decoder = new FrameDecoder();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { socket } = streams;
  const full = new Set<Output>();
  const put = (target: Output | undefined, chunk: Buffer) => {
    if (target === undefined || target.write(chunk) || full.has(target)) return;
    full.add(target);
    socket.pause();
    target.once("drain", () => {
      full.delete(target);
      if (full.size === 0) socket.resume();
    });
  };
  socket.on("data", (chunk: Buffer) => {
    if (streams.tty) return put(streams.stdout, chunk);
    try {
      for (const { stream, payload } of decoder.decode(chunk)) {
        if (stream === "error")
          reject(cliFaults.STREAM_FAILED(`Error from daemon in stream: ${payload.toString()}`));
        else put(stream === "stderr" ? streams.stderr : streams.stdout, payload);
      }
    } catch (error) {
      reject(error);
    }
  });
  socket.on("end", resolve);
  socket.on("close", resolve);
  socket.on("error", (error) => {
    // the other side is gone while input was still on its way: its output has ended, too
    if ("code" in error && (error.code === "EPIPE" || error.code === "ECONNRESET")) resolve();
    else reject(error);
  });
  if (socket.readableEnded || socket.destroyed) resolve();
  socket.resume();
  await promise;
}
