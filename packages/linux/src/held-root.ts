import { isMainThread } from "node:worker_threads";
import { linuxFaults } from "./faults.ts";
import { native } from "./native.ts";

/**
 * The root that the calling worker thread has, to come back to from another one: for work between two file systems, with neither's
 * links leading into the other. What is mounted there stays until disposal, also when the thread has been released meanwhile.
 */
export class HeldRoot implements Disposable {
  readonly #held: object;

  /** @throws {Fault} `invalid-argument` on the main thread */
  constructor() {
    if (isMainThread) throw linuxFaults.MAIN_THREAD();
    this.#held = native().holdRoot();
  }

  /** Make it the root and working folder of the calling thread, which has been confined; the rules of `confineThread` hold. */
  enter(): void {
    native().enterRoot(this.#held);
  }

  [Symbol.dispose](): void {
    native().dropRoot(this.#held);
  }
}
