import { cliFaults } from "../faults.ts";

/**
 * What crosses the connection between stub and resident client, `docs/contracts/resident-client.md`:
 *
 *     frame = letter length bytes        length: 32 bits, big endian, of the bytes
 */
export interface RelayFrame {
  readonly kind: string;
  readonly bytes: Buffer;
}

/** Environments and command lines are bounded by the kernel to less. */
const maxFrameBytes = 8 << 20;
const headBytes = 5;

export function encodeRelayFrame(kind: string, bytes: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headBytes + bytes.length);
  frame.write(kind, 0, 1, "latin1");
  frame.writeUInt32BE(bytes.length, 1);
  frame.set(bytes, headBytes);
  return frame;
}

/** Frames out of bytes that come in any pieces. */
export class RelayFrameDecoder {
  #pending: Buffer = Buffer.alloc(0);

  /** @throws {Fault} `invalid-argument` for a frame beyond the bound; the decoder is of no use then. */
  *push(bytes: Buffer): Generator<RelayFrame, void, undefined> {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    while (this.#pending.length >= headBytes) {
      const end = headBytes + this.#pending.readUInt32BE(1);
      if (end > headBytes + maxFrameBytes) throw cliFaults.RELAY_BROKEN("a frame is too long");
      if (this.#pending.length < end) return;
      const kind = String.fromCharCode(this.#pending[0] ?? 0);
      const frame = { kind, bytes: this.#pending.subarray(headBytes, end) };
      this.#pending = this.#pending.subarray(end);
      yield frame;
    }
  }
}
