import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Fault } from "@hawser/base";
import {
  type BuildHistoryEvent,
  BuildHistoryEventSchema,
  type BuildHistoryRecord,
  BuildHistoryRecordSchema,
  type BuildHistoryRequest,
  BuildHistoryEventType as Kind,
  type SolveRequest,
} from "./generated/control_pb.ts";
import { StatusSchema } from "./generated/status_pb.ts";
import type { BuildProgress } from "./progress.ts";

/** A build that is being recorded. */
export interface OpenRecord extends Disposable {
  complete(response: Readonly<Record<string, string>>): void;
  fail(error: unknown): void;
}

const maxRecords = 50;

/** The last builds of this engine's life, for `buildx history`. */
export class BuildHistory {
  readonly #records = new Map<string, BuildHistoryRecord>();
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
      complete: (exporterResponse) => {
        record.exporterResponse = { ...exporterResponse };
      },
      fail: (error) => {
        record.error = create(StatusSchema, { code: 2, message: Fault.from(error).message });
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

  update(
    ref: string,
    { pinned, isDeleted }: { readonly pinned: boolean; readonly isDeleted: boolean },
  ): void {
    const record = this.#records.get(ref);
    if (record === undefined) return;
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
