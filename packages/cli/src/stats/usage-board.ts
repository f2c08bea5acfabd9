import type { ContainerStats } from "@hawser/api";
import { type EngineClient, splitJson } from "@hawser/api/client";
import { Fault } from "@hawser/base";
import { containerPath } from "../commands/each-argument.ts";
import type { StatsRow } from "../format/stats-fields.ts";
import { usageOf } from "./container-usage.ts";

/** The newest known usage of the containers that are watched, in the order in which they came. */
export class UsageBoard {
  readonly #client: EngineClient;
  readonly #signal: AbortSignal;
  readonly #watched = new Map<string, { row: StatsRow; readonly known: Promise<void> }>();
  readonly #stops = new Map<string, AbortController>();
  readonly #failures: Fault[] = [];

  constructor(client: EngineClient, options: { readonly signal: AbortSignal }) {
    this.#client = client;
    this.#signal = options.signal;
  }

  get rows(): readonly StatsRow[] {
    return [...this.#watched.values()].map(({ row }) => row);
  }

  /** Refusals so far: such containers have no row. */
  get failures(): readonly Fault[] {
    return this.#failures;
  }

  /**
   * Watch a container, once; resolves when the first that can be told of it is known.
   *
   * @param options.once take one report and no more
   */
  add(container: string, options: { readonly once: boolean }): Promise<void> {
    const there = this.#watched.get(container);
    if (there !== undefined) return there.known;
    const { promise: known, resolve } = Promise.withResolvers<void>();
    const stop = new AbortController();
    this.#stops.set(container, stop);
    this.#watched.set(container, { row: { container, id: "", name: "" }, known });
    void this.#read(container, { ...options, signal: stop.signal, onRow: resolve }).finally(resolve);
    return known;
  }

  /** It is gone, or no longer of interest. */
  remove(container: string): void {
    this.#stops.get(container)?.abort();
    this.#stops.delete(container);
    this.#watched.delete(container);
  }

  async #read(
    container: string,
    options: { readonly once: boolean; readonly signal: AbortSignal; readonly onRow: () => void },
  ): Promise<void> {
    const signal = AbortSignal.any([options.signal, this.#signal]);
    try {
      const { body } = await this.#client.send({
        method: "GET",
        path: containerPath(container, "stats"),
        query: { stream: !options.once },
        signal,
      });
      let count = 0;
      for await (const text of splitJson(body)) {
        const stats = JSON.parse(text) as ContainerStats;
        const watched = this.#watched.get(container);
        if (watched === undefined) return;
        watched.row = {
          container,
          id: stats.id,
          name: stats.name.replace(/^\//, ""),
          usage: usageOf(stats),
        };
        // The first of a stream has nothing to compare with: its share of the processor is a guess.
        if (options.once || ++count > 1) options.onRow();
      }
      if (!options.once) this.remove(container);
    } catch (error) {
      if (signal.aborted) return;
      this.remove(container);
      this.#failures.push(Fault.from(error));
    }
  }
}
