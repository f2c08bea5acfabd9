import { runtimeFaults } from "../faults.ts";

/** One message of the monitor protocol, `docs/contracts/monitor-protocol.md`. */
export interface Frame {
  readonly kind: string;
  /** Values by key, in the order sent; without `kind`. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
}

/** `true` is sent as `1`; what is `false` or `undefined` is not sent; a list is sent as a repeated key. */
export type FieldValue = string | number | boolean | undefined | readonly string[];

export const maxFrameBytes = 1 << 20;
const headerBytes = 4;
const keyPattern = /^[a-z-]+$/;

/** @throws {Fault} `invalid-argument` for a field that cannot be sent, or a frame above 1 MiB. */
export function encodeFrame(kind: string, fields: Readonly<Record<string, FieldValue>> = {}): Buffer {
  let text = "";
  const add = (key: string, value: string) => {
    if (!keyPattern.test(key) || value.includes("\0")) throw runtimeFaults.FRAME_FIELD_INVALID(key);
    text += `${key}=${value}\0`;
  };
  add("kind", kind);
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined || value === false) continue;
    if (value === true) add(key, "1");
    else if (typeof value === "object") for (const member of value) add(key, member);
    else add(key, String(value));
  }
  const size = Buffer.byteLength(text);
  if (size > maxFrameBytes) throw runtimeFaults.FRAME_TOO_LARGE(size);
  const frame = Buffer.allocUnsafe(headerBytes + size);
  frame.writeUInt32BE(size, 0);
  frame.write(text, headerBytes);
  return frame;
}

/**
 * Cuts a stream of bytes into frames. Holds at most one frame's bytes and the chunk last given. After a fault it is of no
 * use any more.
 */
export class FrameDecoder {
  #pending: Buffer = Buffer.alloc(0);

  push(chunk: Uint8Array): void {
    const more = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#pending = this.#pending.length === 0 ? more : Buffer.concat([this.#pending, more]);
  }

  /**
   * The next frame, or `undefined` when more bytes are needed.
   *
   * @throws {Fault} `data-loss` when what comes is no frame.
   */
  next(): Frame | undefined {
    if (this.#pending.length < headerBytes) return undefined;
    const size = this.#pending.readUInt32BE(0);
    if (size > maxFrameBytes) throw runtimeFaults.FRAME_INVALID(`it claims ${size} bytes`);
    if (this.#pending.length < headerBytes + size) return undefined;
    const body = this.#pending.subarray(headerBytes, headerBytes + size);
    this.#pending = this.#pending.subarray(headerBytes + size);
    return parseFields(body);
  }

  /** What came after the last frame: the beginning of a stream. */
  get rest(): Buffer {
    return this.#pending;
  }
}

function parseFields(body: Buffer): Frame {
  const text = body.toString("utf8");
  if (!text.endsWith("\0")) throw runtimeFaults.FRAME_INVALID("it does not end with NUL");
  const fields = new Map<string, string[]>();
  let kind: string | undefined;
  for (const field of text.slice(0, -1).split("\0")) {
    const separator = field.indexOf("=");
    const key = field.slice(0, Math.max(separator, 0));
    const value = field.slice(separator + 1);
    if (!keyPattern.test(key)) throw runtimeFaults.FRAME_INVALID("a field has no name");
    if (kind === undefined) {
      if (key !== "kind") throw runtimeFaults.FRAME_INVALID("its first field is not its kind");
      kind = value;
    } else {
      const values = fields.get(key);
      if (values === undefined) fields.set(key, [value]);
      else values.push(value);
    }
  }
  return { kind: kind ?? "", fields };
}

/** The first value of a field; `undefined` when it is not there. */
export function textField(frame: Frame, key: string): string | undefined {
  return frame.fields.get(key)?.[0];
}

/** A field's first value as a number; 0 when it is absent or none. */
export function numberField(frame: Frame, key: string): number {
  const number = Number(textField(frame, key));
  return Number.isFinite(number) ? number : 0;
}

/** A time of the protocol, nanoseconds since 1970, in milliseconds with a fraction. */
export function timeFieldMs(frame: Frame, key: string): number {
  return nsToMs(textField(frame, key) ?? "");
}

/** Decimal nanoseconds to milliseconds, exact to a quarter of a microsecond; 0 for what is no number. */
export function nsToMs(text: string): number {
  return /^\d{1,19}$/.test(text) ? Number(text) / 1e6 : 0;
}
