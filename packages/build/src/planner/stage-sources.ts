import { goQuote } from "@hawser/base";
import { parseReference } from "@hawser/oci";
import { expandWord } from "../dockerfile/expand.ts";
import { invalidAsWhole, invalidAt, refusedAt } from "../dockerfile/faults.ts";
import { Flags } from "../dockerfile/flags.ts";
import { splitMount } from "../dockerfile/mount-fields.ts";
import type { InstructionNode } from "../dockerfile/parse-dockerfile.ts";
import type { SourceRange } from "../dockerfile/source-range.ts";
import {
  type FoundStage,
  findBase,
  findSource,
  findStage,
  isStageNumber,
  titleOfStage,
} from "./find-stages.ts";

/** What an instruction takes files from: a stage, or the name of an image or a context. */
type NamedSource = FoundStage | string;

/**
 * Whether what stages take from each other can be done, in stages too that nobody needs.
 *
 * @param options.isContext whether the user has something under a name
 * @param options.isClassic an image may be named by its id
 * @throws {Fault} `invalid-argument`
 */
export function checkStageSources(
  stages: readonly FoundStage[],
  {
    escape,
    isContext,
    isClassic = false,
  }: {
    readonly escape: string;
    readonly isContext: (name: string) => boolean;
    readonly isClassic?: boolean | undefined;
  },
): void {
  const names: { readonly name: string; readonly range?: SourceRange }[] = [];
  const needs = new Map<FoundStage, { readonly stage: FoundStage; readonly range: SourceRange }[]>();
  for (const found of stages) {
    const needed: { readonly stage: FoundStage; readonly range: SourceRange }[] = [];
    for (const node of found.body) {
      for (const source of sourcesOf(node, stages, escape)) {
        if (typeof source === "object") needed.push({ stage: source, range: node.range });
        // A mount's image is named at no place of its own.
        else names.push({ name: source, ...(node.name === "COPY" && { range: node.range }) });
      }
    }
    needs.set(found, needed);
  }
  refuseCircles(stages, needs);
  if (isClassic) return;
  for (const { index, name, base, node } of stages) {
    const isStage = findBase(stages, { index, base }) !== undefined;
    if (!isStage && !(name !== "" && isContext(name))) names.push({ name: base, range: node.range });
  }
  for (const { name, range } of names) checkReference(name, range);
}

/** @throws {Fault} `invalid-argument`, of the Dockerfile as a whole */
export function sourcesOf(
  node: InstructionNode,
  stages: readonly FoundStage[],
  escape: string,
): readonly NamedSource[] {
  if (node.name === "COPY") {
    const from = new Flags(node).text("from");
    return from ? [copySource(from, stages, escape)] : [];
  }
  if (node.name !== "RUN") return [];
  return new Flags(node).texts("mount").flatMap((mount) => {
    const from = splitMount(mount, node.range).findLast((field) => /^from=/i.test(field));
    const name = from?.slice("from=".length) ?? "";
    return name === "" ? [] : [findStage(stages, name) ?? name];
  });
}

function copySource(from: string, stages: readonly FoundStage[], escape: string): NamedSource {
  let expanded: string;
  try {
    expanded = expandWord(from, { lookup: () => undefined, escape });
  } catch (error) {
    throw refusedAt([], error);
  }
  if (expanded !== from) {
    throw invalidAsWhole(
      "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround",
    );
  }
  const stage = findSource(stages, from);
  if (stage === undefined && isStageNumber(from)) throw invalidAsWhole(`invalid stage index ${Number(from)}`);
  return stage ?? from;
}

function refuseCircles(
  stages: readonly FoundStage[],
  needs: ReadonlyMap<FoundStage, readonly { readonly stage: FoundStage; readonly range: SourceRange }[]>,
): void {
  const seen = new Set<FoundStage>();
  const path = new Set<FoundStage>();
  const visit = (stage: FoundStage, places: readonly SourceRange[]): readonly SourceRange[] | undefined => {
    if (seen.has(stage)) return undefined;
    seen.add(stage);
    path.add(stage);
    for (const { stage: needed, range } of needs.get(stage) ?? []) {
      const next = [range, ...places];
      const circle = path.has(needed) ? next : visit(needed, next);
      if (circle !== undefined) return circle;
    }
    path.delete(stage);
    return undefined;
  };
  for (const stage of stages) {
    const circle = visit(stage, []);
    if (circle !== undefined)
      throw invalidAt(circle, `circular dependency detected on stage: ${titleOfStage(stage)}`);
  }
}

function checkReference(name: string, range: SourceRange | undefined): void {
  if (name === "scratch") return;
  try {
    parseReference(name);
  } catch (error) {
    throw refusedAt(range ?? [], error, (words) => `failed to parse stage name ${goQuote(name)}: ${words}`);
  }
}
