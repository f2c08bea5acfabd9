import { type Vertex, verticesBelow } from "../plan/vertex.ts";

/** How one op is done. BuildKit's two questions: what is the result called, and what is it. */
export interface OpRunner<State> {
  /** What the same result has been kept under; `undefined`: it is not kept. */
  cacheKey(vertex: Vertex, inputs: readonly State[], run: OpRun): Promise<string | undefined>;
  /** A kept result of such a vertex. */
  find(key: string, vertex: Vertex, inputs: readonly State[], run: OpRun): Promise<State | undefined>;
  execute(vertex: Vertex, inputs: readonly State[], run: OpRun & { readonly key?: string }): Promise<State>;
  /** Another graph's work has come to this result: keep it as one's own. */
  adopt(state: State): State;
}

export interface OpRun {
  readonly signal: AbortSignal;
  /** What the op prints. */
  readonly output: (stream: "stdout" | "stderr", bytes: Uint8Array) => void;
}

/** What happens to a vertex. `cached`: its result was there; `missed`: it was not, also where a graph that is solved again had found it. */
export type VertexEvent =
  | { readonly kind: "started"; readonly vertex: Vertex }
  | { readonly kind: "cached"; readonly vertex: Vertex }
  | { readonly kind: "missed"; readonly vertex: Vertex }
  | { readonly kind: "completed"; readonly vertex: Vertex }
  | { readonly kind: "failed"; readonly vertex: Vertex; readonly error: unknown }
  | {
      readonly kind: "output";
      readonly vertex: Vertex;
      readonly stream: "stdout" | "stderr";
      readonly bytes: Uint8Array;
    };

export interface SolveOptions<State> {
  readonly runner: OpRunner<State>;
  readonly signal: AbortSignal;
  /** Kept results are not used. */
  readonly ignoreCache: (vertex: Vertex) => boolean;
  readonly onEvent: (event: VertexEvent) => void;
  /** What a vertex has come to, made or kept. @param key what it is kept under */
  readonly onResult?: (result: {
    readonly key: string;
    readonly vertex: Vertex;
    readonly inputs: readonly State[];
    readonly state: State;
  }) => void;
}

/** Work that may have several who want it. */
interface Flight<State> {
  readonly promise: Promise<State>;
  readonly stop: AbortController;
  wanted: number;
}

/**
 * Solves graphs of vertices: each vertex of a graph once, independent ones at the same time. The same work of two graphs is done
 * once; it stops when nobody wants it any more.
 */
export class Solver<State> {
  readonly #flights = new Map<string, Flight<State>>();

  /** @throws what the first op that fails throws; the reason of `signal` */
  async solve(vertex: Vertex, options: SolveOptions<State>): Promise<State> {
    const [state] = await this.solveAll([vertex], options);
    if (state === undefined) throw new Error("a vertex that is solved has a state");
    return state;
  }

  /** As `solve`, for several vertices of one graph. After a failure nothing of the graph goes on. */
  async solveAll(vertices: readonly Vertex[], options: SolveOptions<State>): Promise<readonly State[]> {
    const known = new Map<string, Promise<State>>();
    const failed = new AbortController();
    const signal = AbortSignal.any([options.signal, failed.signal]);
    const graph = { ...options, signal, known };
    try {
      // Each after what it needs: how deep a graph is must not be how deep the stack gets.
      for (const vertex of verticesBelow(vertices)) this.#solveOnce(vertex, graph);
      return await Promise.all(vertices.map((vertex) => this.#solveOnce(vertex, graph)));
    } catch (error) {
      failed.abort(error);
      await Promise.allSettled(known.values());
      throw error;
    }
  }

  #solveOnce(
    vertex: Vertex,
    graph: SolveOptions<State> & { readonly known: Map<string, Promise<State>> },
  ): Promise<State> {
    const there = graph.known.get(vertex.digest);
    if (there !== undefined) return there;
    const work = this.#solveVertex(vertex, graph);
    work.catch(() => {}); // whoever waits for it is told
    graph.known.set(vertex.digest, work);
    return work;
  }

  async #solveVertex(
    vertex: Vertex,
    graph: SolveOptions<State> & { readonly known: Map<string, Promise<State>> },
  ): Promise<State> {
    const inputs = await Promise.all(
      vertex.inputs.flatMap((input) => (input === undefined ? [] : [this.#solveOnce(input, graph)])),
    );
    graph.signal.throwIfAborted();
    graph.onEvent({ kind: "started", vertex });
    try {
      const state = await this.#findOrRun(vertex, inputs, graph);
      graph.onEvent({ kind: "completed", vertex });
      return state;
    } catch (error) {
      graph.onEvent({ kind: "failed", vertex, error });
      throw error;
    }
  }

  async #findOrRun(vertex: Vertex, inputs: readonly State[], graph: SolveOptions<State>): Promise<State> {
    const output: OpRun["output"] = (stream, bytes) =>
      graph.onEvent({ kind: "output", vertex, stream, bytes });
    const key = await graph.runner.cacheKey(vertex, inputs, { signal: graph.signal, output });
    const run = (signal: AbortSignal) =>
      graph.runner.execute(vertex, inputs, { signal, output, ...(key !== undefined && { key }) });
    if (key === undefined) return await run(graph.signal);
    const find = () => graph.runner.find(key, vertex, inputs, { signal: graph.signal, output });
    const state = await this.#findOrShare(vertex, { key, find, run }, graph);
    graph.onResult?.({ key, vertex, inputs, state });
    return state;
  }

  async #findOrShare(
    vertex: Vertex,
    {
      key,
      find,
      run,
    }: {
      readonly key: string;
      readonly find: () => Promise<State | undefined>;
      readonly run: (signal: AbortSignal) => Promise<State>;
    },
    graph: SolveOptions<State>,
  ): Promise<State> {
    if (graph.ignoreCache(vertex)) return await run(graph.signal);
    const kept = await find();
    if (kept !== undefined) {
      graph.onEvent({ kind: "cached", vertex });
      return kept;
    }
    graph.onEvent({ kind: "missed", vertex });
    return graph.runner.adopt(await this.#share(key, run, graph.signal));
  }

  /** Join the work of that key, or begin it. */
  async #share(
    key: string,
    run: (signal: AbortSignal) => Promise<State>,
    signal: AbortSignal,
  ): Promise<State> {
    const flight = this.#flights.get(key) ?? this.#begin(key, run);
    flight.wanted++;
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = () => reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([flight.promise, left]);
    } finally {
      signal.removeEventListener("abort", leave);
      flight.wanted--;
      if (flight.wanted === 0) {
        flight.stop.abort(signal.reason);
        // What was begun is also ended before anyone goes on: it may hold folders and processes.
        await flight.promise.catch(() => {});
      }
    }
  }

  #begin(key: string, run: (signal: AbortSignal) => Promise<State>): Flight<State> {
    const stop = new AbortController();
    const promise = run(stop.signal).finally(() => this.#flights.delete(key));
    promise.catch(() => {});
    const flight = { promise, stop, wanted: 0 };
    this.#flights.set(key, flight);
    return flight;
  }
}
