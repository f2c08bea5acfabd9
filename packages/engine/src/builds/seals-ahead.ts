import type { ImageLayers } from "@hawser/store";
import type { BuildState } from "./build-state.ts";

/**
 * Seals layers of a result to be, while steps on top of them go on: one at a time, so that most of the machine is the steps'. What
 * fails is done again, and told, when it is needed. What was sealed is kept until disposal, which ends what goes on.
 */
export class SealsAhead implements Disposable {
  readonly #layers: ImageLayers;
  readonly #over = new AbortController();
  readonly #sealed = new DisposableStack();
  #last = Promise.resolve();

  constructor(layers: ImageLayers) {
    this.#layers = layers;
  }

  /** In line for its turn; nothing to do is fine. */
  add(state: BuildState): void {
    if (state.kind !== "files" || state.chainId === undefined) return;
    const { chainId } = state;
    this.#last = this.#last.then(async () => {
      try {
        if (this.#layers.chain(chainId).every(({ diffId }) => diffId !== undefined)) return;
        const sealed = await this.#layers.seal(chainId, this.#over);
        if (this.#over.signal.aborted) sealed[Symbol.dispose]();
        else this.#sealed.use(sealed);
      } catch {
        // whoever needs it is told
      }
    });
  }

  [Symbol.dispose](): void {
    this.#over.abort();
    this.#sealed.dispose();
  }
}
