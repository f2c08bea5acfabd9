import { tarFaults } from "./tar-faults.ts";

export const tarBlockBytes = 512;

/** The bytes up to the first NUL. */
export function parseTarText(field: Buffer): Buffer {
  const end = field.indexOf(0);
  return end === -1 ? field : field.subarray(0, end);
}

/**
 * A number of a header, its bytes from `start` to before `end`: octal text, or GNU's base-256 when the first bit is set (two's
 * complement, so it may be negative).
 *
 * @throws {Fault} `data-loss` when it is neither, or beyond what JavaScript holds exactly.
 */
export function parseTarNumber(block: Buffer, start: number, end: number, what: string): number {
  if (((block[start] ?? 0) & 0x80) !== 0) return parseBase256(block.subarray(start, end), what);
  let value = 0;
  let digits = 0;
  for (let index = start; index < end; index++) {
    const byte = block[index] ?? 0;
    if (byte === 0x20 || byte === 0) {
      if (digits > 0) break;
      continue;
    }
    if (byte < 0x30 || byte > 0x37) throw tarFaults.TAR_DAMAGED(`a header's ${what} is not a number`);
    value = value * 8 + (byte - 0x30);
    digits++;
  }
  if (!Number.isSafeInteger(value)) throw tarFaults.TAR_DAMAGED(`a header's ${what} is too large`);
  return value;
}

function parseBase256(field: Buffer, what: string): number {
  const negative = ((field[0] ?? 0) & 0x40) !== 0;
  let value = 0n;
  for (const [index, byte] of field.entries()) {
    value = (value << 8n) | BigInt(index === 0 && !negative ? byte & 0x7f : byte);
  }
  if (negative) value -= 1n << BigInt(field.length * 8);
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw tarFaults.TAR_DAMAGED(`a header's ${what} is too large`);
  return number;
}

/** Whether the header's checksum is right, by the standard's unsigned sum or old programs' signed one. */
export function hasValidChecksum(block: Buffer): boolean {
  let wanted: number;
  try {
    wanted = parseTarNumber(block, 148, 156, "checksum");
  } catch {
    return false;
  }
  let unsigned = 8 * 0x20;
  let highBytes = 0;
  for (let index = 0; index < tarBlockBytes; index++) {
    if (index === 148) index = 156;
    const byte = block[index] ?? 0;
    unsigned += byte;
    if (byte > 127) highBytes++;
  }
  return wanted === unsigned || wanted === unsigned - 256 * highBytes;
}

const largestTimeNs = (1n << 63n) - 1n;

/** Seconds with nanoseconds as one number; a time outside of 64 bits becomes 0, as Docker does with impossible times. */
export function tarTimeNs(seconds: bigint, nanoseconds: bigint): bigint {
  const time = seconds * 1_000_000_000n + nanoseconds;
  return time > largestTimeNs || time < -largestTimeNs ? 0n : time;
}
