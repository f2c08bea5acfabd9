import { valueError } from "../../options/value-error.ts";
import type { Session } from "../../session.ts";
import { PlainPrinter } from "./plain-printer.ts";
import type { ProgressPrinter } from "./printer.ts";
import { BuildSteps, type StatusLine } from "./steps.ts";
import { TreePrinter } from "./tree-printer.ts";

/**
 * What shows a build on standard error.
 *
 * @param mode `auto`: a tree on a terminal, else lines; `plain`, `tty`, `quiet` (or `none`), `rawjson`
 * @throws {Fault} `invalid-argument`
 */
export function openPrinter(session: Session, mode: string): ProgressPrinter {
  const options = { out: session.stderr, now: () => session.now().getTime() };
  switch (mode) {
    case "auto":
    case "":
      return session.stderr.isTTY === true ? new TreePrinter(options) : new PlainPrinter(options);
    case "tty":
      if (session.stderr.isTTY !== true) throw valueError("failed to get console: it is no terminal");
      return new TreePrinter(options);
    case "plain":
      return new PlainPrinter(options);
    case "quiet":
    case "none":
      return new FailurePrinter(() => {});
    case "rawjson":
      return new FailurePrinter((line) => void session.stderr.write(`${JSON.stringify(line)}\n`));
    default:
      throw valueError(`invalid progress mode ${mode}`);
  }
}

/** Keeps what failed, and passes all on. */
class FailurePrinter implements ProgressPrinter {
  readonly #steps = new BuildSteps();
  readonly #pass: (line: StatusLine) => void;
  failed: ProgressPrinter["failed"];

  constructor(pass: (line: StatusLine) => void) {
    this.#pass = pass;
  }

  take(line: StatusLine): void {
    this.#pass(line);
    for (const change of this.#steps.take(line)) if (change.kind === "failed") this.failed ??= change.step;
  }

  end(): void {}
}
