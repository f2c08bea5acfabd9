import { parentPort } from "node:worker_threads";
import { Fault } from "@hawser/base";
import { faultKindOfErrno } from "../worker-errno.ts";
import type { ArchiveFile, LayerReport, LayerWork } from "./layer-work.ts";

/** What the starter of a worker sends: work, then how much of its archive is there. */
export class LayerCommands<W extends LayerWork> {
  #work: W | undefined;
  #arrivedBytes = 0;
  #wake = () => {};

  constructor() {
    parentPort?.on("message", (command: W | number) => {
      if (typeof command === "number") this.#arrivedBytes = Math.max(this.#arrivedBytes, command);
      else {
        this.#work = command;
        this.#arrivedBytes = 0;
      }
      this.#wake();
    });
  }

  /** Do what comes, one work after the other, until one fails: then there is no other. */
  async serve(act: (work: W) => LayerReport | Promise<LayerReport>): Promise<void> {
    try {
      for (;;) report(await act(await this.#next()));
    } catch (error) {
      report(failure(error));
      parentPort?.close();
    }
  }

  /** Wait for what lies behind `position`; false at the archive's end. */
  async arrivalBeyond(
    position: number,
    { sizeBytes, arrivedBytes }: NonNullable<ArchiveFile["arriving"]>,
  ): Promise<boolean> {
    while (Math.max(arrivedBytes, this.#arrivedBytes) <= position && position < sizeBytes) await this.#wait();
    return position < sizeBytes;
  }

  async #next(): Promise<W> {
    while (this.#work === undefined) await this.#wait();
    const work = this.#work;
    this.#work = undefined;
    return work;
  }

  async #wait(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** Tell the starter. */
export function report(message: LayerReport): void {
  parentPort?.postMessage(message);
}

function failure(error: unknown): LayerReport {
  const problem = error instanceof Error ? error.message : String(error);
  if (Fault.is(error)) return { kind: "failed", fault: error.kind, problem };
  return { kind: "failed", fault: faultKindOfErrno(error), problem };
}
