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

/** Go's `time.Duration` as text: `200ms`, `1.5s`, `1m30s`. */
export function formatGoDuration(ms: number): string {
  if (ms < 1) return `${Number((ms * 1000).toFixed(3))}µs`;
  if (ms < 1000) return `${Number(ms.toFixed(6))}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms / 60_000) % 60;
  const seconds = `${Number(((ms % 60_000) / 1000).toFixed(9))}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
