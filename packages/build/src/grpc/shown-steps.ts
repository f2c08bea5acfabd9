import { shownUrl } from "@hawser/base";
import { formatPlatform, formatReference, type Platform, parseReference, withDefaultTag } from "@hawser/oci";
import { parseHeredocWord } from "../dockerfile/heredoc.ts";
import type { InstructionNode } from "../dockerfile/parse-dockerfile.ts";
import { type Vertex, verticesBelow } from "../plan/vertex.ts";
import { titleOfStage } from "../planner/find-stages.ts";
import type { BuildPlan } from "../planner/plan-dockerfile.ts";
import type { ShownStep } from "./progress.ts";

/**
 * A plan's steps as BuildKit's clients show them: `[build 2/5] RUN make`, counted within their stages.
 *
 * @param options.platform of one plan of several: steps say which machine they are for
 */
export function shownSteps(
  { steps, root, isOneStage }: BuildPlan,
  { platform }: { readonly platform?: Platform | undefined } = {},
): readonly ShownStep[] {
  const stages = new Set(steps.map(({ stage }) => stage.index));
  const shown = new Map<string, ShownStep>();
  for (const index of stages) {
    const own = steps.flatMap(({ stage, vertex, text, node }) =>
      stage.index === index && vertex !== undefined ? [{ stage, vertex, text: text + summaryOf(node) }] : [],
    );
    for (const [at, { vertex, stage, text }] of own.entries()) {
      if (shown.has(vertex.digest)) continue;
      const name = isOneStage ? "" : titleOfStage(stage);
      const number = `${String(at + 1).padStart(String(own.length).length)}/${own.length}`;
      const machine = platform === undefined ? "" : formatPlatform(stage.platform ?? platform);
      const place = [machine, name, number].filter((part) => part !== "").join(" ");
      const what = vertex.op.kind === "image" ? fromImage(vertex.op.reference) : text;
      shown.set(vertex.digest, {
        digest: vertex.digest,
        name: `[${place}] ${what}`,
        inputs: inputsOf(vertex),
      });
    }
  }
  for (const { digest, op } of verticesBelow([root])) {
    if (shown.has(digest)) continue;
    if (op.kind === "image") shown.set(digest, { digest, name: fromImage(op.reference), inputs: [] });
    if (op.kind === "http") shown.set(digest, { digest, name: shownUrl(op.url), inputs: [] });
  }
  return [...shown.values()];
}

/** How the text begins that a `RUN <<EOF` is. */
function summaryOf({ name, args: [word = ""], heredocs: [first] }: InstructionNode): string {
  if (name !== "RUN" || first === undefined || parseHeredocWord(word) === undefined) return "";
  const [line = "", ...more] = first.raw.trim().split(/\r?\n/);
  return ` (${line}${more.length > 0 ? "..." : ""})`;
}

function fromImage(reference: string): string {
  const input = /^input:(.*)$/s.exec(reference)?.[1];
  if (input !== undefined) return `FROM ${input}`;
  if (reference.includes("://")) return `FROM ${reference}`; // of a layout that the client lends
  return `FROM ${formatReference(withDefaultTag(parseReference(reference)))}`;
}

function inputsOf({ inputs }: Vertex): readonly string[] {
  return inputs.flatMap((input) => (input === undefined ? [] : [input.digest]));
}
