import { goQuote } from "@hawser/base";
import { type Platform, parsePlatform } from "@hawser/oci";
import { didYouMean } from "../dockerfile/did-you-mean.ts";
import { dockerfileFaults, invalidAt, refusedAt, withRange } from "../dockerfile/faults.ts";
import { Flags } from "../dockerfile/flags.ts";
import type { InstructionNode } from "../dockerfile/parse-dockerfile.ts";
import type { PlanRequest } from "./build-request.ts";
import { createScope, type Scope } from "./variables.ts";

/** A stage as the Dockerfile has it. */
export interface FoundStage {
  readonly index: number;
  /** In small letters; empty: it has none. */
  readonly name: string;
  /** An image, an earlier stage, or `scratch`. */
  readonly base: string;
  readonly platform?: Platform;
  /** Its `FROM`. */
  readonly node: InstructionNode;
  readonly body: readonly InstructionNode[];
}

/** What `FROM` can use. */
export interface GlobalScope {
  readonly scope: Scope;
  readonly escape: string;
  /** Names of variables that there are. */
  readonly names: () => Iterable<string>;
  readonly host: Platform;
}

/**
 * The stages of a Dockerfile.
 *
 * @param globals its scope sees what `onGlobal` makes of the `ARG`s before
 * @throws {Fault} `invalid-argument`
 */
export function splitStages(
  instructions: readonly InstructionNode[],
  globals: GlobalScope,
  onGlobal: (node: InstructionNode) => void,
): readonly FoundStage[] {
  const stages: (FoundStage & { readonly body: InstructionNode[] })[] = [];
  for (const node of instructions) {
    try {
      if (node.name === "FROM")
        stages.push({ ...readFrom(node, globals), index: stages.length, node, body: [] });
      else if (stages.length > 0) stages.at(-1)?.body.push(node);
      else onGlobal(node);
    } catch (error) {
      throw withRange(error, node.range);
    }
  }
  return stages;
}

function readFrom(
  node: InstructionNode,
  globals: GlobalScope,
): Pick<FoundStage, "name" | "base" | "platform"> {
  const [image = "", , typedName = ""] = node.args;
  const name = typedName.toLowerCase();
  const base = globals.scope.word(image);
  if (base === "") throw invalidAt(node.range, `base name (${image}) should not be blank`);
  const platform = new Flags(node).text("platform") ?? "";
  return { name, base, ...(platform !== "" && { platform: readPlatform(platform, node, globals) }) };
}

function readPlatform(
  text: string,
  { range }: InstructionNode,
  { scope, escape, names, host }: GlobalScope,
): Platform {
  const missing = new Set<string>();
  const noting = createScope((name) => {
    const value = scope.lookup(name);
    if (value === undefined) missing.add(name);
    return value;
  }, escape);
  const hint = () =>
    [...missing].map((name) => didYouMean(name, names())).find((found) => found !== "") ?? "";
  let wanted: string;
  try {
    wanted = noting.word(text);
  } catch (error) {
    throw refusedAt(range, error, (words) => `failed to process arguments for platform : ${words}`);
  }
  if (wanted === "") throw invalidAt(range, `empty platform value from expression ${text}${hint()}`);
  try {
    return parsePlatform(wanted, host);
  } catch (error) {
    throw refusedAt(range, error, (words) => `failed to parse platform ${text}: ${words}${hint()}`);
  }
}

/** The stage that a name means in `--from`: of several the last. */
export function findStage(stages: readonly FoundStage[], name: string): FoundStage | undefined {
  return stages.findLast((stage) => stage.name !== "" && stage.name === name.toLowerCase());
}

/** The stage that a `FROM` goes on from. */
export function findBase(
  stages: readonly FoundStage[],
  { index, base }: Pick<FoundStage, "index" | "base">,
): FoundStage | undefined {
  return findStage(stages.slice(0, index), base);
}

/** The stage that `COPY --from` means, by its name or its number. */
export function findSource(stages: readonly FoundStage[], from: string): FoundStage | undefined {
  return isStageNumber(from) ? stages[Number(from)] : findStage(stages, from);
}

/** Whether `COPY --from` means no name. */
export function isStageNumber(from: string): boolean {
  return /^[+-]?\d+$/.test(from);
}

/** What a stage is called where it has no name. */
export function titleOfStage({ name, index }: Pick<FoundStage, "name" | "index">): string {
  return name === "" ? `stage-${index}` : name;
}

/** The stage that is wanted. @throws {Fault} `invalid-argument` */
export function findTarget(
  stages: readonly FoundStage[],
  { target, isClassic = false }: PlanRequest,
): FoundStage {
  const last = stages.at(-1);
  if (last === undefined) throw dockerfileFaults.DOCKERFILE_INVALID("dockerfile contains no stages to build");
  if (target === undefined || target === "") return last;
  const found =
    findStage(stages, target) ?? (isClassic && /^\d+$/.test(target) ? stages[Number(target)] : undefined);
  if (found === undefined) {
    const hint = didYouMean(target, stages.map(titleOfStage));
    throw dockerfileFaults.DOCKERFILE_INVALID(`target stage ${goQuote(target)} could not be found${hint}`);
  }
  return found;
}
