import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@hawser/base";
import { splitLogin } from "../client/basic-login.ts";
import type { PushEvent } from "./call.ts";
import { serverFaults } from "./faults.ts";

/** Where pushes are told. */
interface Receiver {
  /** Without user and password. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

const maxWaiting = 1000;
const attempts = 4;
const attemptMs = 10_000;

/**
 * Tells others of pushes: one POST after the other to each, tried again a few times. What comes faster than it can be told is
 * dropped, oldest first, and logged.
 */
export class Webhooks implements Disposable {
  readonly #receivers: readonly Receiver[];
  readonly #log: Logger;
  readonly #stop = new AbortController();
  readonly #waiting = new Map<Receiver, PushEvent[]>();
  readonly #now: () => Date;

  /** @param urls may have a user and a password. @throws {Fault} `invalid-argument` for what is none */
  constructor(urls: readonly string[], options: { readonly log: Logger; readonly now: () => Date }) {
    this.#receivers = urls.map(parseReceiver);
    this.#log = options.log;
    this.#now = options.now;
  }

  push(event: PushEvent): void {
    for (const receiver of this.#receivers) {
      const waiting = this.#waiting.get(receiver);
      if (waiting !== undefined) {
        waiting.push(event);
        if (waiting.length > maxWaiting) {
          waiting.shift();
          this.#log.warn("a push is not told: too many wait", { url: receiver.url });
        }
        continue;
      }
      this.#waiting.set(receiver, [event]);
      void this.#tellAll(receiver);
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async #tellAll(receiver: Receiver): Promise<void> {
    const waiting = this.#waiting.get(receiver) ?? [];
    for (let event = waiting.shift(); event !== undefined; event = waiting.shift()) {
      await this.#tell(receiver, event);
    }
    this.#waiting.delete(receiver);
  }

  async #tell({ url, headers }: Receiver, { repository, digest, tags, user }: PushEvent): Promise<void> {
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

function parseReceiver(text: string): Receiver {
  const address = URL.parse(text);
  if (address === null || !["http:", "https:"].includes(address.protocol))
    throw serverFaults.CONFIG_INVALID(`the webhook "${text.replace(/^.*@/, "")}" is no address`);
  const { url, authorization } = splitLogin(address);
  return {
    url: url.href,
    headers: {
      "Content-Type": "application/json",
      ...(authorization !== undefined && { Authorization: authorization }),
    },
  };
}
