import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@hawser/base";
import type { PushEvent } from "./call.ts";

const maxWaiting = 1000;
const attempts = 4;
const attemptMs = 10_000;

/**
 * Tells others of pushes: one POST after the other to each, tried again a few times. What comes faster than it can be told is
 * dropped, oldest first, and logged.
 */
export class Webhooks implements Disposable {
  readonly #urls: readonly string[];
  readonly #log: Logger;
  readonly #stop = new AbortController();
  readonly #waiting = new Map<string, PushEvent[]>();
  readonly #now: () => Date;

  constructor(urls: readonly string[], options: { readonly log: Logger; readonly now: () => Date }) {
    this.#urls = urls;
    this.#log = options.log;
    this.#now = options.now;
  }

  push(event: PushEvent): void {
    for (const url of this.#urls) {
      const waiting = this.#waiting.get(url);
      if (waiting !== undefined) {
        waiting.push(event);
        if (waiting.length > maxWaiting) {
          waiting.shift();
          this.#log.warn("a push is not told: too many wait", { url });
        }
        continue;
      }
      this.#waiting.set(url, [event]);
      void this.#tellAll(url);
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async #tellAll(url: string): Promise<void> {
    const waiting = this.#waiting.get(url) ?? [];
    for (let event = waiting.shift(); event !== undefined; event = waiting.shift()) {
      await this.#tell(url, event);
    }
    this.#waiting.delete(url);
  }

  async #tell(url: string, { repository, digest, tags, user }: PushEvent): Promise<void> {
    const body = JSON.stringify({
      action: "push",
      time: this.#now().toISOString(),
      repository,
      digest,
      tags,
      ...(user !== undefined && { user }),
    });
    for (let attempt = 1; !this.#stop.signal.aborted; attempt++) {
      try {
        const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(attemptMs)]);
        const headers = { "Content-Type": "application/json" };
        const response = await fetch(url, { method: "POST", headers, body, signal, redirect: "error" });
        await response.body?.cancel();
        if (response.ok) return;
        throw new Error(`status ${response.status}`);
      } catch (error) {
        if (attempt >= attempts) {
          this.#log.warn("a push could not be told", { url, repository, error });
          return;
        }
        await delay(250 * 4 ** attempt, undefined, { signal: this.#stop.signal }).catch(() => {});
      }
    }
  }
}
