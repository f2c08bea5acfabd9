import { asBuffer, native } from "./native.ts";

/** What one call has done. */
export interface Inflated {
  /** Bytes of the input that were read. */
  readonly read: number;
  /** Bytes that were written to the output. */
  readonly written: number;
  /** A member of the archive (RFC 1952, 2.2) ends behind what was read; what is given next begins another one. */
  readonly ended: boolean;
}

/**
 * Expands gzip on the calling thread, into memory that the caller uses again: node:zlib's streams give each piece to another thread
 * and in new memory, which costs a worker that has nothing else to do more than the expanding.
 */
export class Inflater {
  readonly #state: object;

  /**
   * @param options.checks whether a member's sum and length are compared with what is behind it: a seventh of the work, for nothing where
   * all of it has a digest. Default: yes
   */
  constructor({ checks = true }: { readonly checks?: boolean } = {}) {
    this.#state = native().createInflater(checks);
  }

  /**
   * Goes on until all of `input` is read, `output` is full, or a member ends.
   *
   * @throws {Error} with node:zlib's words and `code` `Z_DATA_ERROR`. It is of no use after that.
   */
  inflate(input: Uint8Array, output: Uint8Array): Inflated {
    return native().inflate(this.#state, asBuffer(input), asBuffer(output));
  }
}
