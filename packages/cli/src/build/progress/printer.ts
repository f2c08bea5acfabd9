import { formatHumanSize } from "../../format/humanize.ts";
import type { Output } from "../../session.ts";
import type { BuildStep, StatusLine, StepPart } from "./steps.ts";

/** Shows a build while it goes on. */
export interface ProgressPrinter {
  take(line: StatusLine): void;
  /** The build is over: nothing moves any more. */
  end(): void;
  /** Of the step that has failed, for the error. */
  readonly failed: BuildStep | undefined;
}

export interface PrinterOptions {
  readonly out: Output;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** `transferring context: 2.1kB / 4kB` */
export function partText({ id, current, total }: StepPart): string {
  const size =
    total > 0 ? `${formatHumanSize(current)} / ${formatHumanSize(total)}` : formatHumanSize(current);
  return current === 0 && total === 0 ? id : `${id} ${size}`;
}

export function formatSeconds(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(1)}s`;
}

/** Text from a container without what a terminal would obey. */
export function withoutControls(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what goes
      .replace(/\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])/g, "")
      .replace(/.*\r/, "")
      .replaceAll("\t", "    ")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what goes
      .replace(/[\x00-\x1f\x7f-\x9f]/g, "")
  );
}
