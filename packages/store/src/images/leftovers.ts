import type { Digest } from "@hawser/oci";
import type { HeldLayer } from "../layers/layer-store.ts";

/** What is right of an image that was not received whole. */
export interface Leftover {
  readonly blobs: ReadonlySet<Digest>;
  readonly held: readonly HeldLayer[];
}

const keptMs = 60 * 60 * 1000;

/**
 * What interrupted pulls have fetched and checked stays for an hour, so that the next try need not fetch it again. It does
 * not outlive the engine.
 */
export class Leftovers implements Disposable {
  readonly #kept = new Map<Leftover, NodeJS.Timeout>();
  readonly #onRelease: (leftover: Leftover) => void;

  /** @param onRelease called when something is not kept any more because its time is over */
  constructor(onRelease: (leftover: Leftover) => void) {
    this.#onRelease = onRelease;
  }

  keep(leftover: Leftover): void {
    const release = () => {
      this.#drop(leftover);
      this.#onRelease(leftover);
    };
    this.#kept.set(leftover, setTimeout(release, keptMs).unref());
  }

  has(digest: Digest): boolean {
    return [...this.#kept.keys()].some(({ blobs }) => blobs.has(digest));
  }

  /** An image that has these blobs is whole: what was kept for it is its own now. */
  settle(blobs: ReadonlySet<Digest>): void {
    for (const leftover of this.#kept.keys()) {
      if (!leftover.blobs.isDisjointFrom(blobs)) this.#drop(leftover);
    }
  }

  [Symbol.dispose](): void {
    for (const leftover of this.#kept.keys()) this.#drop(leftover);
  }

  #drop(leftover: Leftover): void {
    clearTimeout(this.#kept.get(leftover));
    this.#kept.delete(leftover);
    for (const layer of leftover.held) layer[Symbol.dispose]();
  }
}
