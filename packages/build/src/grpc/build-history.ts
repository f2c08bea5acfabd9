import { createHash } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { Fault } from "@hawser/base";
import { protocolFaults } from "./faults.ts";
import {
  type BuildHistoryEvent,
  BuildHistoryEventSchema,
  type BuildHistoryRecord,
  BuildHistoryRecordSchema,
  type BuildHistoryRequest,
  BuildResultInfoSchema,
  DescriptorSchema,
  BuildHistoryEventType as Kind,
  type SolveRequest,
} from "./generated/control_pb.ts";
import { StatusSchema } from "./generated/status_pb.ts";
import type { BuildProgress } from "./progress.ts";

/** How a result was made: an in-toto predicate. @param platform of one result of several, by BuildKit's name of it */
export interface Said {
  readonly platform: string | undefined;
  readonly predicateType: string;
  readonly predicate: object;
}

/** A build that is being recorded. */
export interface OpenRecord extends Disposable {
  /** What is said of its results; clients look that up by its digest. */
  say(all: readonly Said[]): void;
  complete(response: Readonly<Record<string, string>>): void;
  fail(error: unknown): void;
}

const maxRecords = 50;
/** Of what is said of all results: that of the oldest goes first. */
const maxSaidBytes = 32 << 20;

/** The last builds of this engine's life, for `buildx history`. */
export class BuildHistory {
  readonly #records = new Map<string, BuildHistoryRecord>();
  /** What records say, by its digest. */
  readonly #said = new Map<string, Uint8Array>();
  #saidBytes = 0;
  readonly #listeners = new Set<(event: BuildHistoryEvent) => void>();
  readonly #now: () => number;

  constructor({ now }: { readonly now: () => number }) {
    this.#now = now;
  }

  begin(request: SolveRequest, progress: BuildProgress): OpenRecord {
    const record = create(BuildHistoryRecordSchema, {
      ref: request.ref,
      frontend: request.frontend,
      frontendAttrs: request.frontendAttrs,
      exporters: request.exporters,
      createdAt: timestampFromMs(this.#now()),
    });
    const isKept = !request.internal;
    if (isKept) this.#keep(record);
    return {
      say: (all) => {
        for (const { platform, ...said } of isKept ? all : []) {
          const info = create(BuildResultInfoSchema, { attestations: [this.#describe(said)] });
          if (platform === undefined) record.result = info;
          else record.results[platform] = info;
        }
      },
      complete: (exporterResponse) => {
        record.exporterResponse = { ...exporterResponse };
      },
      fail: (error) => {
        const message = error instanceof ConnectError ? error.rawMessage : Fault.from(error).message;
        record.error = create(StatusSchema, { code: 2, message });
      },
      [Symbol.dispose]: () => {
        const { total, cached, completed } = progress.counts;
        record.completedAt = timestampFromMs(this.#now());
        record.numTotalSteps = total;
        record.numCachedSteps = cached;
        record.numCompletedSteps = completed;
        if (isKept) this.#tell({ type: Kind.COMPLETE, record });
      },
    };
  }

  /** The bytes that a record points to; `undefined`: none does, or they have made room for newer ones. */
  find(digest: string): Uint8Array | undefined {
    return this.#said.get(digest);
  }

  #describe({ predicateType, predicate }: Omit<Said, "platform">): MessageInitShape<typeof DescriptorSchema> {
    const bytes = Buffer.from(JSON.stringify(predicate, undefined, 2));
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    this.#forget(digest);
    this.#said.set(digest, bytes);
    this.#saidBytes += bytes.length;
    for (const oldest of this.#said.keys()) {
      if (this.#saidBytes <= maxSaidBytes) break;
      this.#forget(oldest);
    }
    const annotations = { "in-toto.io/predicate-type": predicateType };
    return { mediaType: "application/vnd.in-toto+json", digest, size: BigInt(bytes.length), annotations };
  }

  #forget(digest: string): void {
    this.#saidBytes -= this.#said.get(digest)?.length ?? 0;
    this.#said.delete(digest);
  }

  /** What there is, and, unless the client leaves early, what comes. */
  async *listen(
    request: BuildHistoryRequest,
    signal: AbortSignal,
  ): AsyncGenerator<BuildHistoryEvent, void, undefined> {
    const waiting: BuildHistoryEvent[] = [];
    let wake = Promise.withResolvers<void>();
    const hear = (event: BuildHistoryEvent) => {
      waiting.push(event);
      wake.resolve();
    };
    const wanted = ({ record }: BuildHistoryEvent) => request.ref === "" || record?.ref === request.ref;
    this.#listeners.add(hear);
    signal.addEventListener("abort", () => wake.resolve(), { once: true });
    try {
      for (const record of this.#records.values()) {
        const isActive = record.completedAt === undefined;
        if (request.activeOnly && !isActive) continue;
        hear(create(BuildHistoryEventSchema, { type: isActive ? Kind.STARTED : Kind.COMPLETE, record }));
      }
      for (;;) {
        yield* waiting.splice(0).filter(wanted);
        if (request.earlyExit || signal.aborted) return;
        wake = Promise.withResolvers();
        if (waiting.length === 0 && !signal.aborted) await wake.promise;
      }
    } finally {
      this.#listeners.delete(hear);
    }
  }

  /** @throws {Fault} `not-found` */
  update(
    ref: string,
    { pinned, isDeleted }: { readonly pinned: boolean; readonly isDeleted: boolean },
  ): void {
    const record = this.#records.get(ref);
    if (record === undefined) throw protocolFaults.RECORD_MISSING(ref);
    record.pinned = pinned;
    if (!isDeleted) return;
    this.#records.delete(ref);
    this.#tell({ type: Kind.DELETED, record });
  }

  #keep(record: BuildHistoryRecord): void {
    this.#records.set(record.ref, record);
    for (const [ref, { pinned, completedAt }] of this.#records) {
      if (this.#records.size <= maxRecords) break;
      if (!pinned && completedAt !== undefined) this.#records.delete(ref);
    }
    this.#tell({ type: Kind.STARTED, record });
  }

  #tell(event: MessageInitShape<typeof BuildHistoryEventSchema>): void {
    const message = create(BuildHistoryEventSchema, event);
    for (const hear of this.#listeners) hear(message);
  }
}
