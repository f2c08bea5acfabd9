import { valueError } from "./options/value-error.ts";

/** `ctrl-p,ctrl-q` as the bytes that a terminal sends. Empty text means Docker's default. */
export function parseDetachKeys(text: string): Buffer {
  return Buffer.from(
    (text === "" ? "ctrl-p,ctrl-q" : text).split(",").map((key) => {
      if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
      const control = /^ctrl-([a-z@[\\\]^_])$/i.exec(key)?.[1];
      if (control === undefined) throw valueError(`Unknown character: '${key}'`);
      return control.toUpperCase().charCodeAt(0) & 0x1f;
    }),
  );
}

/**
 * Looks for the detach keys in what is typed. Bytes that may begin the sequence are held back until the next ones tell; those
 * of a broken-off attempt are given on.
 */
export class DetachScanner {
  readonly #keys: Buffer;
  #matched = 0;

  constructor(keys: Buffer) {
    this.#keys = keys;
  }

  /** What of `chunk` is input, and whether the sequence is complete; what follows it is dropped. */
  scan(chunk: Buffer): { readonly input: Buffer; readonly detached: boolean } {
    if (this.#keys.length === 0) return { input: chunk, detached: false };
    const parts: number[] = [];
    for (const byte of chunk) {
      if (byte !== this.#keys[this.#matched]) {
        parts.push(...this.#keys.subarray(0, this.#matched));
        this.#matched = 0;
      }
      if (byte !== this.#keys[this.#matched]) parts.push(byte);
      else if (++this.#matched === this.#keys.length) return { input: Buffer.from(parts), detached: true };
    }
    return { input: Buffer.from(parts), detached: false };
  }
}
