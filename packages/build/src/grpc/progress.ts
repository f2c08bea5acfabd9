import { randomBytes } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { Fault } from "@hawser/base";
import type { LintWarning } from "../lint/lint-dockerfile.ts";
import type { VertexEvent } from "../solver/solver.ts";
import {
  type StatusResponse,
  StatusResponseSchema,
  type Vertex,
  VertexSchema,
} from "./generated/control_pb.ts";
import type { FaultySource } from "./grpc-error.ts";

/** Something that a build does, as its client is shown it. */
export interface ShownStep {
  readonly digest: string;
  readonly name: string;
  readonly inputs: readonly string[];
  /** Digests of the solver's vertices that do it; absent: its own. */
  readonly vertices?: readonly string[];
}

/** What is known of a step beside what is told. */
interface StepState {
  loggedBytes: number;
  /** Vertices that have not ended, and those whose results were not kept. */
  readonly open: Set<string>;
  readonly made: Set<string>;
}

/** More output of one step is left out: a client's memory, and ours, are bounded. */
const maxLogBytes = 2 << 20;
/** As BuildKit: how far a transfer is costs the client work each time, from the processor that it sends with. */
const statusPauseMs = 100;
/** More warnings than so many bytes of one build are left out, likewise. */
const maxWarnedBytes = 16 << 20;

/** What a build has told so far, for clients that ask when they like (BuildKit's `Status` stream). */
export class BuildProgress {
  readonly #told: StatusResponse[] = [];
  readonly #steps = new Map<string, Vertex & { readonly state: StepState }>();
  /** The steps that a vertex is of. */
  readonly #stepsOf = new Map<string, readonly string[]>();
  readonly #now: () => number;
  #waiting = Promise.withResolvers<void>();
  #isClosed = false;
  #warnedBytes = 0;

  constructor({ now }: { readonly now: () => number }) {
    this.#now = now;
  }

  /** How many steps there were, and how many of them had their results already. */
  get counts(): { readonly total: number; readonly cached: number; readonly completed: number } {
    const steps = [...this.#steps.values()];
    return {
      total: steps.length,
      cached: steps.filter(({ cached }) => cached).length,
      completed: steps.filter(({ completed }) => completed !== undefined).length,
    };
  }

  /** Show steps that are to come. One that is known keeps its state. */
  announce(steps: readonly ShownStep[]): void {
    const fresh = steps.filter(({ digest }) => !this.#steps.has(digest));
    if (fresh.length === 0) return;
    this.#tell({ vertexes: fresh.map((step) => this.#add(step)) });
    for (const { digest, vertices } of fresh) {
      if (vertices?.length !== 0) continue;
      this.#begin(digest);
      this.#end(digest, {});
    }
  }

  /** Do something of the builder's own as a step. @param name `[internal] load .dockerignore` */
  async step<T>(name: string, work: (step: StepTold) => Promise<T>): Promise<T> {
    const digest = `sha256:${randomBytes(32).toString("hex")}`;
    this.announce([{ digest, name, inputs: [] }]);
    this.#begin(digest);
    const statuses = new Map<string, { readonly startedMs: number; readonly toldMs: number }>();
    try {
      return await work({
        digest,
        log: (stream, bytes) => this.#log(digest, stream === "stdout" ? 1 : 2, bytes),
        status: (id, { current, total, isDone }) => {
          const nowMs = this.#now();
          const { startedMs, toldMs } = statuses.get(id) ?? { startedMs: nowMs, toldMs: -Infinity };
          if (isDone !== true && nowMs - toldMs < statusPauseMs) return;
          statuses.set(id, { startedMs, toldMs: nowMs });
          this.#tell({
            statuses: [
              {
                id,
                vertex: digest,
                current: BigInt(current),
                total: BigInt(total ?? 0),
                timestamp: timestampFromMs(nowMs),
                started: timestampFromMs(startedMs),
                ...(isDone && { completed: timestampFromMs(nowMs) }),
              },
            ],
          });
        },
      });
    } catch (error) {
      this.#end(digest, { error });
      throw error;
    } finally {
      this.#end(digest, {});
    }
  }

  /** What the solver says. */
  take(event: VertexEvent): void {
    const { digest } = event.vertex;
    for (const step of this.#stepsOf.get(digest) ?? []) this.#takeFor(step, event);
  }

  #takeFor(step: string, event: VertexEvent): void {
    const { state, cached, completed } = this.#steps.get(step) ?? {};
    const { open, made } = state ?? {};
    if (event.kind === "missed") {
      if (cached === true) this.#reopen(step, event.vertex.digest);
      return;
    }
    // What several graphs of a build need is told of once.
    if (completed !== undefined && event.kind !== "output") return;
    switch (event.kind) {
      case "started":
        this.#begin(step);
        break;
      case "cached":
        made?.delete(event.vertex.digest);
        if (made?.size === 0) this.#change(step, { cached: true });
        break;
      case "completed":
        open?.delete(event.vertex.digest);
        if (open?.size === 0) this.#end(step, {});
        break;
      case "failed":
        this.#end(step, { error: event.error });
        break;
      case "output":
        this.#log(step, event.stream === "stdout" ? 1 : 2, event.bytes);
    }
  }

  /** What of a source is most often a mistake, though the build goes on. @param digest of the step that it belongs to */
  warnOf(warnings: readonly LintWarning[], source: FaultySource, digest: string): void {
    const info = { filename: source.filename, data: Buffer.from(source.text), language: "Dockerfile" };
    for (const { rule, description, detail, url, range } of warnings) {
      this.warn({
        vertex: digest,
        level: 1n,
        short: Buffer.from(`${rule}: ${detail} (line ${range.firstLine})`),
        detail: [Buffer.from(description)],
        url,
        info,
        ranges: [{ start: { line: range.firstLine }, end: { line: range.lastLine } }],
      });
    }
  }

  /** What is wrong with the source, though the build goes on. */
  warn(warning: NonNullable<MessageInitShape<typeof StatusResponseSchema>["warnings"]>[number]): void {
    const { short, detail = [], info } = warning;
    this.#warnedBytes += [short, ...detail, info?.data].reduce((sum, text) => sum + (text?.length ?? 0), 100);
    if (this.#warnedBytes > maxWarnedBytes) return;
    this.#tell({ warnings: [warning] });
  }

  /** Nothing more is told. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.resolve();
  }

  /** All that was told and will be told, until the build ends. */
  async *follow(signal: AbortSignal): AsyncGenerator<StatusResponse, void, undefined> {
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    aborted.catch(() => {});
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    for (let at = 0; ; ) {
      const fresh = this.#told.slice(at);
      at += fresh.length;
      yield* fresh;
      if (at < this.#told.length) continue;
      if (this.#isClosed) return;
      await Promise.race([this.#waiting.promise, aborted]);
    }
  }

  #add({ digest, name, inputs, vertices = [digest] }: ShownStep): Vertex {
    const vertex = create(VertexSchema, { digest, name, inputs: [...inputs] });
    const state = { loggedBytes: 0, open: new Set(vertices), made: new Set(vertices) };
    this.#steps.set(digest, { ...vertex, state });
    for (const own of vertices) this.#stepsOf.set(own, [...(this.#stepsOf.get(own) ?? []), digest]);
    return vertex;
  }

  #begin(digest: string): void {
    if (this.#steps.get(digest)?.started !== undefined) return;
    this.#change(digest, { started: timestampFromMs(this.#now()) });
  }

  /** It was shown as kept, and a vertex of it is done all the same. */
  #reopen(step: string, vertex: string): void {
    const shown = this.#steps.get(step);
    shown?.state?.open.add(vertex);
    shown?.state?.made.add(vertex);
    delete shown?.completed;
    this.#change(step, { cached: false, started: timestampFromMs(this.#now()) });
  }

  #end(digest: string, { error }: { readonly error?: unknown }): void {
    if (this.#steps.get(digest)?.completed !== undefined) return;
    this.#change(digest, {
      completed: timestampFromMs(this.#now()),
      ...(error !== undefined && { error: wordsOf(error) }),
    });
  }

  #change(digest: string, change: Partial<Vertex>): void {
    const vertex = this.#steps.get(digest);
    if (vertex === undefined) return;
    Object.assign(vertex, change);
    const { state: _, ...shown } = vertex;
    this.#tell({ vertexes: [create(VertexSchema, shown)] });
  }

  #log(digest: string, stream: number, bytes: Uint8Array): void {
    const state = this.#steps.get(digest)?.state;
    if (state === undefined || state.loggedBytes > maxLogBytes) return;
    state.loggedBytes += bytes.length;
    const msg =
      state.loggedBytes > maxLogBytes
        ? Buffer.from(`\n[output clipped, log limit ${maxLogBytes} bytes reached]\n`)
        : bytes;
    this.#tell({
      logs: [{ vertex: digest, timestamp: timestampFromMs(this.#now()), stream: BigInt(stream), msg }],
    });
  }

  #tell(message: MessageInitShape<typeof StatusResponseSchema>): void {
    this.#told.push(create(StatusResponseSchema, message));
    this.#waiting.resolve();
    this.#waiting = Promise.withResolvers();
  }
}

function wordsOf(error: unknown): string {
  const words = error instanceof ConnectError ? error.rawMessage : Fault.from(error).message;
  return words.replace(/^failed to (compute|load) cache key: /, ""); // said of the build as a whole
}

export interface StepTold {
  /** By which it is known. */
  readonly digest: string;
  /** What it prints. */
  log(stream: "stdout" | "stderr", bytes: Uint8Array): void;
  /** How far something within the step is; `id` is what is shown. It is told now and then, and when it is done. */
  status(
    id: string,
    state: { readonly current: number; readonly total?: number; readonly isDone?: boolean },
  ): void;
}
