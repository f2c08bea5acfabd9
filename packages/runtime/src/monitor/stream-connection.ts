import { Socket } from "node:net";
import { abortable } from "@hawser/base";
import { connectUnix, sendWithDescriptors, socketDescriptor } from "@hawser/linux";
import { runtimeFaults } from "../faults.ts";
import { encodeFrame, type FieldValue, type Frame, FrameDecoder } from "./frame.ts";

/** How a client wants a process' streams. */
export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** `raw`: bytes as they come, for terminals; `frames`: Docker's frames of an 8-byte head each. */
  readonly format: "raw" | "frames";
  /** The sequence that detaches a client of a terminal; absent: none. */
  readonly detachKeys?: Uint8Array;
  /** The client's first input, already read. */
  readonly initial?: Uint8Array;
}

export interface StreamRequest {
  readonly socketPath: string;
  readonly kind: "attach" | "exec" | "reserve";
  readonly fields: Readonly<Record<string, FieldValue>>;
  readonly initial?: Uint8Array;
  /** The client itself, to be handed over; it stays the caller's to close. */
  readonly clientFd?: number;
  /** What completes "Cannot …" in faults. */
  readonly what: string;
  readonly signal?: AbortSignal;
}

/**
 * Ask a monitor for streams: connect, send the request, wait for the answer. Without `clientFd` the connection itself then
 * carries the streams, half-open: its end of writing is the end of the process' input.
 *
 * @throws {Fault} `unavailable` when the monitor is gone; whatever `signal` aborts with.
 */
export async function openStream(
  request: StreamRequest,
): Promise<{ readonly answer: Frame; readonly stream: Socket }> {
  request.signal?.throwIfAborted();
  const stream = connect(request, encodeRequest(request));
  const { answer, rest } = await readAnswer(stream, request);
  if (rest.length > 0) stream.unshift(rest);
  return { answer, stream };
}

/**
 * Send a client after a `reserve`.
 *
 * @throws {Fault} `unavailable` when the monitor is gone.
 */
export async function sendClient(
  stream: Socket,
  client: { readonly fd: number; readonly initial: Uint8Array; readonly what: string },
): Promise<Frame> {
  const { fd, initial, what } = client;
  try {
    const bytes = encodeRequest({ kind: "client", fields: {}, initial });
    sendWithDescriptors(socketDescriptor(stream), bytes, [fd]);
  } catch (error) {
    throw runtimeFaults.MONITOR_LOST(what).because(error);
  }
  return (await readAnswer(stream, { what })).answer;
}

function encodeRequest({
  kind,
  fields,
  initial = new Uint8Array(0),
}: Pick<StreamRequest, "fields" | "initial"> & { readonly kind: string }): Buffer {
  const frame = encodeFrame(kind, { ...fields, initial: initial.length > 0 ? initial.length : undefined });
  return Buffer.concat([frame, initial]);
}

export function attachFields(options: AttachOptions): Readonly<Record<string, FieldValue>> {
  const { detachKeys } = options;
  const hasKeys = detachKeys !== undefined && detachKeys.length > 0;
  return {
    stdin: options.stdin,
    stdout: options.stdout,
    stderr: options.stderr,
    format: options.format,
    "detach-keys": hasKeys ? Buffer.from(detachKeys).toString("hex") : undefined,
  };
}

function connect(request: StreamRequest, bytes: Uint8Array): Socket {
  let stream: Socket | undefined;
  try {
    const fd = connectUnix(request.socketPath);
    stream = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
    if (request.clientFd === undefined) stream.write(bytes);
    else sendWithDescriptors(fd, bytes, [request.clientFd]);
    return stream;
  } catch (error) {
    stream?.destroy();
    throw runtimeFaults.MONITOR_LOST(request.what).because(error);
  }
}

async function readAnswer(
  stream: Socket,
  request: Pick<StreamRequest, "what" | "signal">,
): Promise<{ readonly answer: Frame; readonly rest: Buffer }> {
  const decoder = new FrameDecoder();
  const { promise, resolve, reject } = Promise.withResolvers<Frame>();
  const lost = (cause?: unknown) => reject(runtimeFaults.MONITOR_LOST(request.what).because(cause));
  // Not with `data` and `pause`: a stream that was paused stays so, whatever its next owner listens to.
  const receive = () => {
    try {
      for (let chunk = readChunk(stream); chunk !== undefined; chunk = readChunk(stream)) {
        decoder.push(chunk);
        const frame = decoder.next();
        if (frame === undefined) continue;
        stream.off("readable", receive);
        resolve(frame);
        return;
      }
    } catch (error) {
      lost(error);
    }
  };
  stream.on("readable", receive).once("error", lost).once("end", lost).once("close", lost);
  try {
    const answer = await abortable(promise, request.signal);
    return { answer, rest: decoder.rest };
  } catch (error) {
    stream.destroy();
    throw error;
  } finally {
    stream.off("readable", receive).off("error", lost).off("end", lost).off("close", lost);
  }
}

function readChunk(stream: Socket): Buffer | undefined {
  const chunk: unknown = stream.read();
  return chunk instanceof Buffer ? chunk : undefined;
}
