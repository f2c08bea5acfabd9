import { defineFaults } from "@hawser/base";

const eventFaults = defineFaults({
  EVENTS_LOST: [
    "resource-exhausted",
    (count: number) => `events were lost: more than ${count} wait for a reader`,
  ],
});

/** A fact about the engine's world, told after it came true. */
export interface EngineEvent {
  /** `container`, `image`, `network`, ... */
  readonly type: string;
  /** Docker's word for what happened: `create`, `start`, `die`, `exec_create: sh -c x`. */
  readonly action: string;
  readonly actor: {
    readonly id: string;
    readonly attributes: Readonly<Record<string, string>>;
  };
  /** Nanoseconds since 1970; of two events the later one's is always greater. */
  readonly timeNs: bigint;
}

export interface SubscribeOptions {
  /** Past events from then on come first, as far as they are remembered. */
  readonly sinceNs?: bigint;
  /** The subscription ends then; at once, after the past events, when that is over already. */
  readonly untilNs?: bigint;
  readonly matches: (event: EngineEvent) => boolean;
  /** Ends the subscription, without a failure. */
  readonly signal: AbortSignal;
}

/** Events remembered for those who come later. */
const maxRemembered = 1024;
/** Events that may wait for one reader. */
const maxWaiting = 4096;
const nsPerMs = 1_000_000n;
/** Node's timers go no further; a subscription that ends later than that wakes up and waits again. */
const maxTimerMs = 2 ** 31 - 1;

/**
 * Announces facts to whoever listens; nobody's work may hang on being heard. Publishing never waits and never fails.
 */
export class EventBus {
  readonly #now: () => number;
  readonly #remembered: EngineEvent[] = [];
  readonly #subscriptions = new Set<Subscription>();
  #lastNs = 0n;

  /** @param options.now milliseconds since 1970 */
  constructor(options: { readonly now: () => number }) {
    this.#now = options.now;
  }

  /** How many listen. */
  get subscriberCount(): number {
    return this.#subscriptions.size;
  }

  publish(fact: Omit<EngineEvent, "timeNs">): void {
    const nowNs = BigInt(this.#now()) * nsPerMs;
    this.#lastNs = nowNs > this.#lastNs ? nowNs : this.#lastNs + 1n;
    const event = { ...fact, timeNs: this.#lastNs };
    this.#remembered.push(event);
    if (this.#remembered.length > maxRemembered) this.#remembered.shift();
    for (const subscription of this.#subscriptions) subscription.offer(event);
  }

  /**
   * Events as they happen. Nothing that is published after this returns is missed.
   *
   * @throws {Fault} `resource-exhausted`, from the iteration, when its reader is so slow that events were dropped.
   */
  subscribe(options: SubscribeOptions): AsyncIterable<EngineEvent> {
    const subscription = new Subscription(options);
    const { sinceNs, untilNs } = options;
    if (sinceNs !== undefined || untilNs !== undefined) {
      for (const event of this.#remembered) if (event.timeNs >= (sinceNs ?? 0n)) subscription.offer(event);
    }
    this.#subscriptions.add(subscription);
    return this.#read(subscription, options);
  }

  async *#read(
    subscription: Subscription,
    { untilNs, signal }: SubscribeOptions,
  ): AsyncGenerator<EngineEvent, void, undefined> {
    const wake = () => subscription.wake();
    signal.addEventListener("abort", wake);
    let timer: NodeJS.Timeout | undefined;
    try {
      while (!signal.aborted) {
        const event = subscription.take();
        if (event !== undefined) {
          yield event;
          continue;
        }
        if (untilNs !== undefined) {
          const leftMs = Number(untilNs / nsPerMs) - this.#now();
          if (leftMs <= 0) return;
          clearTimeout(timer);
          timer = setTimeout(wake, Math.min(leftMs, maxTimerMs));
        }
        await subscription.news();
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      this.#subscriptions.delete(subscription);
    }
  }
}

/** What one reader has not read yet. */
class Subscription {
  readonly #options: SubscribeOptions;
  readonly #waiting: EngineEvent[] = [];
  #lost = false;
  #news = Promise.withResolvers<void>();

  constructor(options: SubscribeOptions) {
    this.#options = options;
  }

  offer(event: EngineEvent): void {
    const { untilNs, matches } = this.#options;
    if ((untilNs !== undefined && event.timeNs > untilNs) || !matches(event)) return;
    if (this.#waiting.length < maxWaiting) this.#waiting.push(event);
    else this.#lost = true;
    this.wake();
  }

  take(): EngineEvent | undefined {
    const event = this.#waiting.shift();
    if (event === undefined && this.#lost) throw eventFaults.EVENTS_LOST(maxWaiting);
    return event;
  }

  wake(): void {
    this.#news.resolve();
  }

  /** Settles at the next `wake`, or at once when there was one since the last call. */
  async news(): Promise<void> {
    await this.#news.promise;
    this.#news = Promise.withResolvers();
  }
}
