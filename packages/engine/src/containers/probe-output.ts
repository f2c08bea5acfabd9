const maxBytes = 4096;

/** The first 4096 bytes of what a probe wrote; the rest is read and dropped, so that the probe does not wait for a reader. */
export class ProbeOutput {
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #truncated = false;

  push(chunk: Uint8Array): void {
    const kept = chunk.subarray(0, maxBytes - this.#size);
    this.#chunks.push(Buffer.from(kept));
    this.#size += kept.length;
    this.#truncated ||= kept.length < chunk.length;
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString("utf8") + (this.#truncated ? "..." : "");
  }
}
