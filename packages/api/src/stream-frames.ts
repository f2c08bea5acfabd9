import { apiFaults } from "./faults.ts";

/**
 * Docker's multiplexed stream (`application/vnd.docker.multiplexed-stream`), in which the output of a container without a
 * terminal travels:
 *
 *     frame = type(1 byte) 0 0 0 length(4 bytes, big endian) payload
 *
 * `stdin` is never sent by an engine; `error` carries the text of a failure that happened after the reply began.
 */
export type StreamName = "stdin" | "stdout" | "stderr" | "error";

const types: Readonly<Record<StreamName, number>> = { stdin: 0, stdout: 1, stderr: 2, error: 3 };
const names: readonly StreamName[] = ["stdin", "stdout", "stderr", "error"];

/** Bytes before each payload. */
export const frameHeaderBytes = 8;

/** No engine sends frames longer than this; a longer one is a sign of a stream that is not multiplexed. */
export const maxFrameBytes = 64 << 20;

export interface StreamFrame {
  readonly stream: StreamName;
  /** A view into the chunk that was decoded, or bytes of its own: use it before the next chunk, or copy it. */
  readonly payload: Buffer;
}

/** The 8 bytes that go before a payload of `length` bytes. */
export function encodeFrameHeader(stream: StreamName, length: number): Buffer {
  const header = Buffer.alloc(frameHeaderBytes);
  header[0] = types[stream];
  header.writeUInt32BE(length, 4);
  return header;
}

/** A whole frame. */
export function encodeFrame(stream: StreamName, payload: Uint8Array): Buffer {
  return Buffer.concat([encodeFrameHeader(stream, payload.length), payload]);
}

/**
 * Decoder of a multiplexed stream that comes in chunks of any size. Payloads are given as they come, so one long frame
 * may be several results: memory use does not depend on what the sender claims.
 */
export class FrameDecoder {
  readonly #header = Buffer.alloc(frameHeaderBytes);
  #headerBytes = 0;
  #stream: StreamName = "stdout";
  #remaining = 0;

  /**
   * The parts of frames that `chunk` holds.
   *
   * @throws {Fault} `data-loss` for an unknown type or an absurd length.
   */
  *decode(chunk: Buffer): Generator<StreamFrame, void, undefined> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#remaining === 0) {
        const taken = Math.min(frameHeaderBytes - this.#headerBytes, chunk.length - at);
        chunk.copy(this.#header, this.#headerBytes, at, at + taken);
        this.#headerBytes += taken;
        at += taken;
        if (this.#headerBytes < frameHeaderBytes) return;
        this.#headerBytes = 0;
        this.#begin();
        continue;
      }
      const length = Math.min(this.#remaining, chunk.length - at);
      const payload = chunk.subarray(at, at + length);
      at += length;
      this.#remaining -= length;
      yield { stream: this.#stream, payload };
    }
  }

  /** Whether the stream may end here: not inside a header or a payload. */
  get complete(): boolean {
    return this.#headerBytes === 0 && this.#remaining === 0;
  }

  #begin(): void {
    const stream = names[this.#header[0] ?? names.length];
    if (stream === undefined) throw apiFaults.STREAM_FRAME_INVALID(`unknown frame type ${this.#header[0]}`);
    const length = this.#header.readUInt32BE(4);
    if (length > maxFrameBytes) throw apiFaults.STREAM_FRAME_INVALID(`frame of ${length} bytes`);
    this.#stream = stream;
    this.#remaining = length;
  }
}
