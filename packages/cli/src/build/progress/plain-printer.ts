import { formatSeconds, type PrinterOptions, type ProgressPrinter, partText } from "./printer.ts";
import { type BuildStep, BuildSteps, type StatusLine, type StepChange } from "./steps.ts";

/** A line for each thing that happens, under the number of its step, as buildx' `--progress plain` has them. */
export class PlainPrinter implements ProgressPrinter {
  readonly #steps = new BuildSteps();
  readonly #out: PrinterOptions["out"];
  #last: BuildStep | undefined;
  failed: BuildStep | undefined;

  constructor({ out }: PrinterOptions) {
    this.#out = out;
  }

  take(line: StatusLine): void {
    for (const change of this.#steps.take(line)) this.#show(change);
  }

  end(): void {}

  #show(change: StepChange): void {
    if (change.kind === "warning") {
      this.#out.write(`WARN: ${change.text}\n`);
      return;
    }
    const { step } = change;
    switch (change.kind) {
      case "started":
        if (!step.isCached) this.#say(step);
        break;
      case "line":
        this.#say(step, `${change.line.seconds.toFixed(3)} ${change.line.text}`);
        break;
      case "part":
        if (change.part.completedMs !== undefined) {
          const took = change.part.completedMs - (change.part.startedMs ?? change.part.completedMs);
          this.#say(step, `${partText(change.part)} ${took >= 50 ? `${formatSeconds(took)} ` : ""}done`);
        }
        break;
      case "cached":
        this.#say(step, "CACHED");
        break;
      case "completed":
        this.#say(step, `DONE ${formatSeconds((step.completedMs ?? 0) - (step.startedMs ?? 0))}`);
        break;
      case "failed":
        this.failed ??= step;
        this.#say(step, step.error === "canceled" ? "CANCELED" : `ERROR: ${step.error}`);
    }
  }

  /** A line of a step; its name comes first where another one's lines were before. */
  #say(step: BuildStep, text?: string): void {
    const head =
      this.#last === step ? "" : `${this.#last === undefined ? "" : "\n"}#${step.number} ${step.name}\n`;
    this.#last = step;
    this.#out.write(text === undefined ? head : `${head}#${step.number} ${text}\n`);
  }
}
