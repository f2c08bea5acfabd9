import { randomBytes } from "node:crypto";
import type { ConnectError } from "@connectrpc/connect";
import { Arrivals } from "./arrivals.ts";
import { protocolFaults } from "./faults.ts";
import { GatewayContainers } from "./gateway-containers.ts";
import type { Definition } from "./generated/llb_pb.ts";
import type { BuildWork, PlannedResult } from "./ports.ts";
import type { BuildProgress } from "./progress.ts";

/** What a front end, most often the client itself, hands back as the outcome of a build. */
export interface ReturnedResult {
  readonly result: PlannedResult | undefined;
  /** Of a build for several platforms, by what the metadata calls them (`linux/arm64`), instead of one result. */
  readonly platforms?: ReadonlyMap<string, PlannedResult>;
  readonly metadata: Readonly<Record<string, Uint8Array>>;
}

/** Results that one front end may have. */
const maxResults = 10_000;
/** Bytes of all graphs that it has had solved. */
const maxGraphBytes = 256 << 20;

/**
 * A build that a client has asked for, and may have several calls about; or a part of one that another front end does, which knows
 * its own results only.
 */
export class BuildJob implements AsyncDisposable {
  readonly id: string;
  readonly progress: BuildProgress;
  readonly work: BuildWork;
  /** Of the client's session; empty: it has none. */
  readonly session: string;
  /** What the front end builds on, by name. */
  readonly inputs: Readonly<Record<string, Definition>>;
  /** How many front ends there are around it. */
  readonly depth: number;
  readonly containers = new GatewayContainers(this);
  #graphBytes = 0;
  #isSettled = false;
  readonly #results = new Map<string, PlannedResult>();
  readonly #failures: ConnectError[] = [];
  readonly #returned = Promise.withResolvers<ReturnedResult>();

  constructor(parts: {
    readonly id: string;
    readonly progress: BuildProgress;
    readonly work: BuildWork;
    readonly session: string;
    readonly inputs?: Readonly<Record<string, Definition>>;
    readonly depth?: number;
  }) {
    this.session = parts.session;
    this.inputs = parts.inputs ?? {};
    this.depth = parts.depth ?? 0;
    this.id = parts.id;
    this.progress = parts.progress;
    this.work = parts.work;
    this.#returned.promise.catch(() => {}); // told when it is waited for
  }

  /** The same build for another front end. */
  child(inputs: Readonly<Record<string, Definition>>): BuildJob {
    const { id, progress, work, session, depth } = this;
    return new BuildJob({ id, progress, work, session, inputs, depth: depth + 1 });
  }

  /** The front end has handed back what it has. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Settles when the front end has handed back what it has, a failure included. */
  async settled(): Promise<void> {
    await this.#returned.promise.catch(() => {});
  }

  /** Keep a result for later calls. @returns its name @throws {Fault} `resource-exhausted` */
  add(result: PlannedResult): string {
    if (this.#results.size >= maxResults) throw protocolFaults.TOO_MANY("results", maxResults);
    for (const { length } of result.definition?.def ?? []) this.#graphBytes += length;
    if (this.#graphBytes > maxGraphBytes) throw protocolFaults.TOO_MANY("bytes of graphs", maxGraphBytes);
    const id = randomBytes(16).toString("hex");
    this.#results.set(id, result);
    return id;
  }

  /** @throws {Fault} `not-found` */
  get(id: string): PlannedResult {
    const result = this.#results.get(id);
    if (result === undefined) throw protocolFaults.RESULT_MISSING(id);
    return result;
  }

  /** The front end is done. */
  settle(outcome: ReturnedResult): void {
    this.#isSettled = true;
    this.#returned.resolve(outcome);
  }

  /** The front end has failed. */
  fail(error: unknown): void {
    this.#isSettled = true;
    this.#returned.reject(error);
  }

  /** What the front end was told had failed: when it gives up, most often that is why. */
  noteFailure(error: ConnectError): void {
    this.#failures.push(error);
  }

  /** The failure that a front end's last words are about. */
  findFailure(words: string): ConnectError | undefined {
    return this.#failures.findLast(({ rawMessage }) => words.includes(rawMessage));
  }

  /** What the front end hands back. @throws what it failed with; the reason of `signal` */
  async outcome(signal: AbortSignal): Promise<ReturnedResult> {
    signal.throwIfAborted();
    signal.addEventListener("abort", () => this.fail(signal.reason), { once: true });
    return await this.#returned.promise;
  }

  /** Ends the front end's containers. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.containers[Symbol.asyncDispose]();
  }
}

/** What ended builds have told is kept of so many: a client may ask when a short one is over. */
const maxEnded = 32;

/** Builds by the ids that clients give them. */
export class BuildJobs {
  readonly #active = new Set<string>();
  #ended: readonly string[] = [];
  readonly #progress = new Arrivals<BuildProgress>();
  readonly #jobs = new Arrivals<BuildJob>();

  /** Begin to tell of a build, which goes on until disposal. @throws {Fault} `conflict` */
  reserve(id: string, progress: BuildProgress): Disposable {
    if (this.#active.has(id)) throw protocolFaults.BUILD_TAKEN(id);
    this.#active.add(id);
    this.#ended = this.#ended.filter((ended) => ended !== id);
    this.#progress.set(id, progress);
    return {
      [Symbol.dispose]: () => {
        progress.close();
        this.#active.delete(id);
        this.#ended = [...this.#ended, id];
        this.#jobs.delete(id);
        for (const old of this.#ended.slice(0, -maxEnded)) this.#progress.delete(old);
        this.#ended = this.#ended.slice(-maxEnded);
      },
    };
  }

  /** The reserved build takes calls. */
  add(job: BuildJob): void {
    this.#jobs.set(job.id, job);
  }

  /** @throws {Fault} `not-found` after a while */
  async job(id: string, signal: AbortSignal): Promise<BuildJob> {
    const isOver = () => this.#ended.includes(id);
    return (await this.#jobs.wait(id, { timeoutMs: maxWaitMs, signal, isOver })) ?? missing(id);
  }

  /** @throws {Fault} `not-found` after a while */
  async progress(id: string, signal: AbortSignal): Promise<BuildProgress> {
    return (await this.#progress.wait(id, { timeoutMs: maxWaitMs, signal })) ?? missing(id);
  }
}

function missing(id: string): never {
  throw protocolFaults.BUILD_MISSING(id);
}

const maxWaitMs = 10_000;
