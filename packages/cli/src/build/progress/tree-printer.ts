import {
  formatSeconds,
  type PrinterOptions,
  type ProgressPrinter,
  partText,
  withoutControls,
} from "./printer.ts";
import { type BuildStep, BuildSteps, type StatusLine } from "./steps.ts";

/** Of a step that runs, so many of its newest lines are shown. */
const shownLines = 6;
const redrawMs = 100;

/** The steps as a tree that is drawn again and again in one place of the terminal, as buildx' `--progress tty` does. */
export class TreePrinter implements ProgressPrinter {
  readonly #steps = new BuildSteps();
  readonly #options: PrinterOptions;
  readonly #beganMs: number;
  readonly #timer: NodeJS.Timeout;
  #warnings: readonly string[] = [];
  #drawn = 0;
  #isOver = false;
  failed: BuildStep | undefined;

  constructor(options: PrinterOptions) {
    this.#options = options;
    this.#beganMs = options.now();
    this.#timer = setInterval(() => this.#draw(), redrawMs);
    this.#timer.unref();
    options.out.write("\x1b[?25l");
  }

  take(line: StatusLine): void {
    for (const change of this.#steps.take(line)) {
      if (change.kind === "failed") this.failed ??= change.step;
      if (change.kind === "warning") this.#warnings = [...this.#warnings, withoutControls(change.text)];
    }
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#draw();
    const warned = this.#warnings.map((text) => ` - ${text}\n`).join("");
    const head = `\n ${this.#warnings.length} warning${this.#warnings.length === 1 ? "" : "s"} found:\n`;
    this.#options.out.write(`${warned === "" ? "" : head + warned}\x1b[?25h`);
  }

  #draw(): void {
    const { out, now } = this.#options;
    const { columns, rows } = out; // a terminal may say that it has none
    const lines = treeLines(this.#steps, {
      columns: columns || 80,
      // The last picture is whole.
      rows: this.#isOver ? Number.POSITIVE_INFINITY : Math.max(4, (rows || 24) - 2),
      nowMs: now(),
      beganMs: this.#beganMs,
      isOver: this.#isOver,
    });
    const up = this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A`;
    out.write(`${up}${lines.map((line) => `\x1b[2K${line}\n`).join("")}\x1b[0J`);
    this.#drawn = lines.length;
  }
}

/** The tree as it is at a time. @returns lines of `columns` at most */
export function treeLines(
  steps: BuildSteps,
  at: {
    readonly columns: number;
    readonly rows: number;
    readonly nowMs: number;
    readonly beganMs: number;
    readonly isOver: boolean;
  },
): readonly string[] {
  const { columns, nowMs } = at;
  const { done, total } = steps.counts;
  const end = at.isOver && done === total ? "FINISHED" : `(${done}/${total})`;
  const head = `[+] Building ${formatSeconds(nowMs - at.beganMs)} (${done}/${total})${at.isOver ? ` ${end}` : ""}`;
  const blocks = steps.all.map((step) => blockOf(step, { columns, nowMs }));
  // What is done goes first when there is no room for all.
  const shown: (readonly string[])[] = [];
  let room = at.rows - 1;
  const byNeed = [...blocks].sort((a, b) => Number(a.isDone) - Number(b.isDone) || b.number - a.number);
  const kept = new Set<number>();
  for (const { lines, number } of byNeed) {
    if (lines.length > room) break;
    room -= lines.length;
    kept.add(number);
  }
  for (const { lines, number } of blocks) if (kept.has(number)) shown.push(lines);
  return [fit(head, columns), ...shown.flat()];
}

function blockOf(step: BuildStep, { columns, nowMs }: { readonly columns: number; readonly nowMs: number }) {
  const isDone = step.completedMs !== undefined;
  const mark = step.error === "" ? (step.isCached ? "CACHED " : "") : "ERROR ";
  const took = (part: Pick<BuildStep, "startedMs" | "completedMs">) =>
    formatSeconds((part.completedMs ?? nowMs) - (part.startedMs ?? nowMs));
  const lines = [row(` => ${mark}${withoutControls(step.name)}`, took(step), columns)];
  for (const part of step.parts.values()) {
    lines.push(row(` => => ${withoutControls(partText(part))}`, took(part), columns));
  }
  if (!isDone) {
    for (const { text } of step.lines.slice(-shownLines)) {
      lines.push(fit(` => => # ${withoutControls(text)}`, columns));
    }
  }
  return { number: step.number, isDone, lines };
}

function row(left: string, right: string, columns: number): string {
  const room = Math.max(0, columns - right.length - 1);
  return `${fit(left, room).padEnd(room)} ${right}`;
}

function fit(text: string, columns: number): string {
  return text.length <= columns ? text : text.slice(0, columns);
}
