import { Fault, goQuote } from "@hawser/base";
import { didYouMean } from "./did-you-mean.ts";
import { invalidAt, reworded } from "./faults.ts";
import { Flags } from "./flags.ts";
import { readHealthcheck } from "./healthcheck.ts";
import { parseHeredocWord } from "./heredoc.ts";
import { splitMount } from "./mount-fields.ts";
import type { InstructionNode } from "./parse-dockerfile.ts";
import { instructionNames } from "./split-arguments.ts";

/**
 * What is wrong with instructions whatever their variables are, in stages too that nobody needs (BuildKit's `instructions.Parse`).
 *
 * @throws {Fault} `invalid-argument`
 */
export function checkInstructions(nodes: readonly InstructionNode[]): void {
  let hasStage = false;
  for (const node of nodes) {
    const fault = problemOf(node);
    if (fault !== undefined) {
      const { firstLine } = node.range;
      throw reworded(fault, `dockerfile parse error on line ${firstLine}: ${fault.message}`);
    }
    hasStage ||= node.name === "FROM";
    if (!hasStage && node.name !== "ARG") throw invalidAt(node.range, "no build stage in current context");
  }
}

function problemOf(node: InstructionNode) {
  try {
    checkInstruction(node);
    return undefined;
  } catch (error) {
    if (Fault.is(error, "invalid-argument")) return error;
    throw error;
  }
}

/** The same for one that stands alone. @throws {Fault} `invalid-argument` */
export function checkInstruction(node: InstructionNode): void {
  const { name, args } = node;
  const bad = (words: string) => invalidAt(node.range, words);
  const needSome = () => {
    if (args.length === 0) throw bad(`${name} requires at least one argument`);
  };
  const needOne = () => {
    if (args.length !== 1) throw bad(`${name} requires exactly one argument`);
  };
  switch (name) {
    case "FROM":
      checkFrom(node);
      break;
    case "ARG":
      needSome();
      if (args.some((word) => word.startsWith("="))) throw bad("ARG names can not be blank");
      break;
    case "ENV":
    case "LABEL":
      new Flags(node);
      needSome();
      if (args.some((word, at) => at % 3 === 0 && word === "")) throw bad(`${name} names can not be blank`);
      break;
    case "RUN":
      checkRun(node);
      break;
    case "COPY":
    case "ADD":
      if (args.length < 2) {
        throw bad(
          `${name} requires at least two arguments, but only one was provided. Destination could not be determined`,
        );
      }
      new Flags(node);
      if (parseHeredocWord(args.at(-1) ?? "") !== undefined)
        throw bad(`${name} cannot accept a heredoc as a destination`);
      break;
    case "CMD":
    case "ENTRYPOINT":
      new Flags(node);
      break;
    case "MAINTAINER":
    case "USER":
    case "WORKDIR":
      needOne();
      new Flags(node);
      break;
    case "STOPSIGNAL":
      needOne();
      break;
    case "EXPOSE":
    case "VOLUME":
      needSome();
      new Flags(node);
      if (name === "VOLUME" && args.some((path) => path.trim() === ""))
        throw bad("VOLUME specified can not be an empty string");
      break;
    case "SHELL":
      new Flags(node);
      needSome();
      if (!node.isJson) throw bad("SHELL requires the arguments to be in JSON form");
      break;
    case "HEALTHCHECK":
      needSome();
      readHealthcheck(node);
      break;
    case "ONBUILD":
      needSome();
      new Flags(node);
      checkTrigger(node);
      break;
    default: {
      const hint = didYouMean(node.typedName, instructionNames, { ignoreCase: true });
      throw bad(`unknown instruction: ${node.typedName}${hint}`);
    }
  }
}

function checkFrom(node: InstructionNode): void {
  const { args } = node;
  const [, as = "", name = ""] = args;
  if (args.length === 3 && as.toUpperCase() === "AS") {
    if (!/^[a-z][a-z0-9-_.]*$/.test(name.toLowerCase())) {
      throw invalidAt(
        node.range,
        `invalid name for build stage: ${goQuote(name)}, name can't start with a number or contain symbols`,
      );
    }
  } else if (args.length !== 1) throw invalidAt(node.range, "FROM requires either one or three arguments");
  new Flags(node);
}

function checkRun(node: InstructionNode): void {
  const flags = new Flags(node);
  for (const text of flags.texts("mount")) splitMount(text, node.range);
  const network = flags.text("network") ?? "default";
  if (!["default", "none", "host"].includes(network))
    throw invalidAt(node.range, `invalid network mode ${goQuote(network)}`);
  const security = flags.text("security") ?? "sandbox";
  if (security !== "sandbox" && security !== "insecure")
    throw invalidAt(node.range, `security ${goQuote(security)} is not valid`);
}

/** What is in an `ONBUILD` is for whoever builds on the image: it may know instructions that are not known here. */
function checkTrigger({ inner, range }: InstructionNode): void {
  const name = inner?.name ?? "";
  if (name === "ONBUILD") throw invalidAt(range, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (name === "MAINTAINER" || name === "FROM")
    throw invalidAt(range, `${name} isn't allowed as an ONBUILD trigger`);
}
