import { goQuote } from "@hawser/base";
import { invalidAt } from "./faults.ts";
import { Flags } from "./flags.ts";
import { readHealthInterval } from "./health-interval.ts";
import type { InstructionNode } from "./parse-dockerfile.ts";

export interface Healthcheck {
  readonly test: readonly string[];
  readonly intervalNs: number;
  readonly timeoutNs: number;
  readonly startPeriodNs: number;
  readonly startIntervalNs: number;
  readonly retries: number;
}

const none = { intervalNs: 0, timeoutNs: 0, startPeriodNs: 0, startIntervalNs: 0, retries: 0 };

/** What `HEALTHCHECK` says. @throws {Fault} `invalid-argument` */
export function readHealthcheck(node: InstructionNode): Healthcheck {
  const [kind = "", ...command] = node.args;
  const bad = (words: string) => invalidAt(node.range, words);
  if (kind.toUpperCase() === "NONE") {
    if (command.length > 0) throw bad("HEALTHCHECK NONE takes no arguments");
    return { ...none, test: ["NONE"] }; // whatever flags there are
  }
  const flags = new Flags(node);
  if (kind.toUpperCase() !== "CMD")
    throw bad(`Unknown type ${goQuote(kind.toUpperCase())} in HEALTHCHECK (try CMD)`);
  if (command.length === 0) throw bad("Missing command after HEALTHCHECK CMD");
  const time = (name: string) => {
    const read = readHealthInterval(name, flags.text(name) ?? "");
    if ("problem" in read) throw bad(read.problem);
    return read.ns;
  };
  return {
    test: node.isJson ? ["CMD", ...command] : ["CMD-SHELL", ...command], // the shell that the image has when it runs
    intervalNs: time("interval"),
    timeoutNs: time("timeout"),
    startPeriodNs: time("start-period"),
    startIntervalNs: time("start-interval"),
    retries: readRetries(flags.text("retries") ?? "", bad),
  };
}

function readRetries(text: string, bad: (words: string) => Error): number {
  if (text === "") return 0;
  const problem = (why: string) => bad(`strconv.ParseInt: parsing ${goQuote(text)}: ${why}`);
  if (!/^[+-]?\d+$/.test(text)) throw problem("invalid syntax");
  const retries = Number(text);
  if (retries > 2 ** 31 - 1 || retries < -(2 ** 31)) throw problem("value out of range");
  if (retries < 0) throw bad(`--retries cannot be negative (${retries})`);
  return retries;
}
