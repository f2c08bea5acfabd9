/** A line of a build's progress (BuildKit's `client.SolveStatus` as JSON). Absent: nothing new of that kind. */
export interface StatusLine {
  readonly vertexes?: readonly {
    readonly digest: string;
    readonly name: string;
    readonly started?: string;
    readonly completed?: string;
    readonly cached?: boolean;
    readonly error?: string;
  }[];
  readonly statuses?: readonly {
    readonly id: string;
    readonly vertex: string;
    readonly total?: number;
    readonly current: number;
    readonly started?: string;
    readonly completed?: string;
  }[];
  readonly logs?: readonly { readonly vertex: string; readonly data: string; readonly timestamp?: string }[];
  readonly warnings?: readonly { readonly short: string; readonly url?: string }[];
}

/** Something of a step that takes time of its own: a transfer. */
export interface StepPart {
  readonly id: string;
  readonly current: number;
  readonly total: number;
  readonly startedMs: number | undefined;
  readonly completedMs: number | undefined;
}

/** A step as it stands. */
export interface BuildStep {
  readonly number: number;
  readonly name: string;
  readonly startedMs: number | undefined;
  readonly completedMs: number | undefined;
  readonly isCached: boolean;
  /** Empty: it has not failed. */
  readonly error: string;
  readonly parts: ReadonlyMap<string, StepPart>;
  /** The newest lines that it printed, whole ones and what follows them, each with its time since the start. */
  readonly lines: readonly OutputLine[];
}

export interface OutputLine {
  readonly seconds: number;
  readonly text: string;
}

/** What is new. */
export type StepChange =
  | { readonly kind: "started" | "completed" | "cached" | "failed"; readonly step: BuildStep }
  | { readonly kind: "part"; readonly step: BuildStep; readonly part: StepPart }
  | { readonly kind: "line"; readonly step: BuildStep; readonly line: OutputLine }
  | { readonly kind: "warning"; readonly text: string };

type Own = { -readonly [Key in keyof BuildStep]: BuildStep[Key] } & {
  readonly parts: Map<string, StepPart>;
  lines: OutputLine[];
  /** What was printed of a line that is not whole; its bytes, which may end in the middle of a character. */
  open: Buffer;
};

/** Kept of what each step printed. */
const keptLines = 200;
/** A line that is longer is shown in pieces. */
const maxLineBytes = 16 << 10;

/** The steps of a build, from what is told of them. */
export class BuildSteps {
  readonly #steps = new Map<string, Own>();

  get all(): readonly BuildStep[] {
    return [...this.#steps.values()].filter(({ startedMs }) => startedMs !== undefined);
  }

  /** How many there are, and how many are done. */
  get counts(): { readonly total: number; readonly done: number } {
    const all = [...this.#steps.values()];
    return { total: all.length, done: all.filter(({ completedMs }) => completedMs !== undefined).length };
  }

  take({ vertexes = [], statuses = [], logs = [], warnings = [] }: StatusLine): readonly StepChange[] {
    return [
      ...vertexes.flatMap((vertex) => this.#takeStep(vertex)),
      ...statuses.flatMap((status) => this.#takePart(status)),
      ...logs.flatMap((log) => this.#takeOutput(log)),
      ...warnings.map(({ short }) => ({
        kind: "warning" as const,
        text: Buffer.from(short, "base64").toString(),
      })),
    ];
  }

  #takeStep(told: NonNullable<StatusLine["vertexes"]>[number]): readonly StepChange[] {
    const { digest, name } = told;
    const step = this.#steps.get(digest) ?? this.#add(digest, name);
    // What was kept could not be had, and is done after all.
    if (
      step.isCached &&
      step.completedMs !== undefined &&
      told.cached !== true &&
      told.completed === undefined
    ) {
      Object.assign(step, { isCached: false, startedMs: undefined, completedMs: undefined });
    }
    const before = { ...step };
    step.name = name;
    step.startedMs = timeOf(told.started) ?? step.startedMs;
    step.completedMs = timeOf(told.completed) ?? step.completedMs;
    step.isCached ||= told.cached === true;
    step.error ||= told.error ?? "";
    const changes: StepChange[] = [];
    if (before.startedMs === undefined && step.startedMs !== undefined)
      changes.push({ kind: "started", step });
    if (before.completedMs !== undefined || step.completedMs === undefined) return changes;
    if (step.open.length > 0) changes.push(this.#endLine(step, step.completedMs));
    const kind = step.error !== "" ? "failed" : step.isCached ? "cached" : "completed";
    return [...changes, { kind, step }];
  }

  #add(digest: string, name: string): Own {
    const step: Own = {
      number: this.#steps.size + 1,
      name,
      startedMs: undefined,
      completedMs: undefined,
      isCached: false,
      error: "",
      parts: new Map(),
      lines: [],
      open: Buffer.alloc(0),
    };
    this.#steps.set(digest, step);
    return step;
  }

  #takePart(told: NonNullable<StatusLine["statuses"]>[number]): readonly StepChange[] {
    const step = this.#steps.get(told.vertex);
    if (step === undefined) return [];
    const { id, current, total = 0 } = told;
    const [startedMs, completedMs] = [timeOf(told.started), timeOf(told.completed)];
    const part = { id, current, total, startedMs, completedMs };
    step.parts.set(id, part);
    return [{ kind: "part", step, part }];
  }

  #takeOutput({ vertex, data, timestamp }: NonNullable<StatusLine["logs"]>[number]): readonly StepChange[] {
    const step = this.#steps.get(vertex);
    if (step === undefined) return [];
    const changes: StepChange[] = [];
    const atMs = timeOf(timestamp) ?? 0;
    let rest = Buffer.from(data, "base64");
    for (;;) {
      const end = rest.indexOf(0x0a);
      const piece = rest.subarray(0, end < 0 ? undefined : end);
      const room = maxLineBytes - step.open.length;
      step.open = Buffer.concat([step.open, piece.subarray(0, room)]);
      if (piece.length > room) rest = rest.subarray(room);
      else if (end >= 0) rest = rest.subarray(end + 1);
      else return changes;
      changes.push(this.#endLine(step, atMs));
    }
  }

  #endLine(step: Own, atMs: number): StepChange {
    const seconds = Math.max(0, (atMs - (step.startedMs ?? atMs)) / 1000);
    const line = { seconds, text: step.open.toString().replace(/\r$/, "") };
    step.open = Buffer.alloc(0);
    step.lines = [...step.lines.slice(1 - keptLines), line];
    return { kind: "line", step, line };
  }
}

function timeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text);
}
