import { type Platform, parsePlatform } from "@hawser/oci";
import { didYouMean } from "../dockerfile/did-you-mean.ts";
import { dockerfileFaults, invalidAt, withRange } from "../dockerfile/faults.ts";
import type { InstructionNode } from "../dockerfile/parse-dockerfile.ts";
import type { PlanRequest } from "./build-request.ts";
import { Flags } from "./flags.ts";
import type { Scope } from "./variables.ts";

/** A stage as the Dockerfile has it. */
export interface FoundStage {
  readonly index: number;
  /** Empty: it has none. */
  readonly name: string;
  /** An image, an earlier stage, or `scratch`. */
  readonly base: string;
  readonly platform?: Platform;
  /** Its `FROM`. */
  readonly node: InstructionNode;
  readonly body: readonly InstructionNode[];
}

/**
 * The stages of a Dockerfile.
 *
 * @param scope what `FROM` can use: it sees what `options.onGlobal` makes of the `ARG`s before
 * @throws {Fault} `invalid-argument`
 */
export function splitStages(
  instructions: readonly InstructionNode[],
  scope: Scope,
  options: { readonly onGlobal: (node: InstructionNode) => void; readonly host: Platform },
): readonly FoundStage[] {
  const stages: (FoundStage & { readonly body: InstructionNode[] })[] = [];
  for (const node of instructions) {
    try {
      const current = stages.at(-1);
      if (node.name === "FROM")
        stages.push({ ...readFrom(node, scope, options.host), index: stages.length, node, body: [] });
      else if (current !== undefined) current.body.push(node);
      else if (node.name === "ARG") options.onGlobal(node);
      else throw invalidAt(node.range, "no build stage in current context");
    } catch (error) {
      throw withRange(error, node.range);
    }
  }
  return stages;
}

function readFrom(
  node: InstructionNode,
  scope: Scope,
  host: Platform,
): Pick<FoundStage, "name" | "base" | "platform"> {
  const flags = new Flags(node, ["platform"]);
  const [image = "", as, name = "", ...more] = node.args;
  const isNamed = as?.toUpperCase() === "AS" && name !== "" && more.length === 0;
  if (image === "" || (as !== undefined && !isNamed)) {
    throw invalidAt(node.range, "FROM requires either one or three arguments");
  }
  if (name !== "" && !/^[a-z][a-z0-9-_.]*$/i.test(name)) {
    throw invalidAt(
      node.range,
      `invalid name for build stage: ${JSON.stringify(name)}, name can't start with a number or contain symbols`,
    );
  }
  const base = scope.word(image);
  if (base === "") throw invalidAt(node.range, `base name (${image}) should not be blank`);
  const platform = flags.text("platform");
  if (platform === undefined) return { name, base };
  const wanted = scope.word(platform);
  if (wanted === "") throw invalidAt(node.range, `empty platform value from expression ${platform}`);
  return { name, base, platform: parsePlatform(wanted, host) };
}

/** The stage that is wanted. @throws {Fault} `invalid-argument` */
export function findTarget(
  stages: readonly FoundStage[],
  { target, targetMayBeNumber = false }: PlanRequest,
): FoundStage {
  const last = stages.at(-1);
  if (last === undefined) throw dockerfileFaults.DOCKERFILE_INVALID("dockerfile contains no stages to build");
  if (target === undefined || target === "") return last;
  const wanted = target.toLowerCase();
  const found =
    stages.findLast(({ name }) => name.toLowerCase() === wanted) ??
    (targetMayBeNumber && /^\d+$/.test(target) ? stages[Number(target)] : undefined);
  if (found === undefined) {
    const names = stages.flatMap(({ name }) => (name === "" ? [] : [name.toLowerCase()]));
    const words = `target stage ${JSON.stringify(target)} could not be found`;
    throw dockerfileFaults.DOCKERFILE_INVALID(`${words}${didYouMean(wanted, names, "")}`);
  }
  return found;
}
