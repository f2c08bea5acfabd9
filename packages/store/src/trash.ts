import { randomUUID } from "node:crypto";
import { rename } from "node:fs/promises";
import { errnoOf, type Logger } from "@hawser/base";
import { removeTree } from "./remove-tree.ts";

/**
 * Removes folders after the reply: a folder leaves its place at once and is emptied in the background. What a crash
 * leaves is in the ingest folder, which is emptied at the next start.
 */
export class Trash {
  readonly #pathOf: (name: string) => string;
  readonly #log: Logger;
  readonly #running = new Set<Promise<void>>();

  constructor(options: { readonly pathOf: (name: string) => string; readonly log: Logger }) {
    this.#pathOf = options.pathOf;
    this.#log = options.log;
  }

  /** When it returns, nothing is at `path` any more. Nothing there is fine. */
  async discard(path: string): Promise<void> {
    const away = this.#pathOf(`trash-${randomUUID()}`);
    try {
      await rename(path, away);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      throw error;
    }
    this.empty(away);
  }

  /** Remove what nobody knows of any more, in the background. */
  empty(path: string): void {
    const work = removeTree(path)
      .catch((error: unknown) => this.#log.warn("cannot remove folder", { path, error }))
      .finally(() => this.#running.delete(work));
    this.#running.add(work);
  }

  /** Wait until all that was discarded is gone. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }
}
