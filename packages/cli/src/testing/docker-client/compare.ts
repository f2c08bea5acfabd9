import { compileGlob, judgeDifferences } from "@hawser/base/testing";
import { readHelp } from "./read-help.ts";
import type { ClientAnswer } from "./recording.ts";

/** One thing that our client says otherwise. */
export interface Difference {
  /** The words after the program's name. */
  readonly call: string;
  /** `code`, `stdout`, `stderr`, or a part of a help text. */
  readonly part: string;
  readonly docker: string | number | undefined;
  readonly hawser: string | number | undefined;
}

/** A difference that is meant. `*` stands for anything. */
export interface Accepted {
  readonly call: string;
  readonly part: string;
  readonly reason: string;
}

/** Help by its parts, everything else to the letter. */
export function compare(docker: ClientAnswer, hawser: ClientAnswer): readonly Difference[] {
  const call = docker.argv.join(" ");
  const isHelp = docker.argv.includes("--help") && docker.code === 0;
  const [theirs, ours] = isHelp
    ? [readHelp(docker.stdout), readHelp(hawser.stdout)]
    : [partsOf(docker), partsOf(hawser)];
  return [...new Set([...Object.keys(theirs), ...Object.keys(ours)])]
    .filter((part) => theirs[part] !== ours[part])
    .map((part) => ({ call, part, docker: theirs[part], hawser: ours[part] }));
}

function partsOf({ code, stdout, stderr }: ClientAnswer): Readonly<Record<string, string | number>> {
  return { code, stdout, stderr };
}

export function judge(differences: readonly Difference[], accepted: readonly Accepted[]) {
  return judgeDifferences(
    differences,
    accepted,
    (entry, { call, part }) => compileGlob(entry.call).test(call) && compileGlob(entry.part).test(part),
  );
}
