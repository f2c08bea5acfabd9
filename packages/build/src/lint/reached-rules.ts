import { checkInstructions } from "../dockerfile/check-instructions.ts";
import { rangeOf } from "../dockerfile/faults.ts";
import type { ParsedDockerfile } from "../dockerfile/parse-dockerfile.ts";
import type { SourceRange } from "../dockerfile/source-range.ts";
import type { RuleName } from "./rules.ts";

/** Looked for in each instruction as it is read. */
const onReading: ReadonlySet<RuleName> = new Set(["MaintainerDeprecated", "StageNameCasing", "FromAsCasing"]);
/** When all are read. */
const onStages: ReadonlySet<RuleName> = new Set([
  "ConsistentInstructionCasing",
  "DuplicateStageName",
  "InvalidDefaultArgInFrom",
  "ReservedStageName",
]);
/** When stages get their bases. */
const onBases: ReadonlySet<RuleName> = new Set([
  "FromPlatformFlagConstDisallowed",
  "RedundantTargetPlatform",
  "UndefinedArgInFrom",
]);

/**
 * What BuildKit has looked for when a build fails before it does anything: the other checks come after that.
 *
 * @param failure why it failed
 */
export function reachedRules(
  { instructions }: ParsedDockerfile,
  failure: unknown,
): (rule: RuleName, range: SourceRange) => boolean {
  const unread = unreadAt(instructions);
  if (unread !== undefined) {
    return (rule, { firstLine }) =>
      rule === "NoEmptyContinuation" || (onReading.has(rule) && firstLine <= unread);
  }
  const line = rangeOf(failure)?.firstLine;
  const failed = instructions.find(({ range }) => range.firstLine === line);
  const isOfBase = failed?.name === "FROM";
  const isOfStage = failed !== undefined && !isOfBase;
  return (rule, { firstLine }) => {
    if (rule === "NoEmptyContinuation" || onReading.has(rule) || onStages.has(rule)) return true;
    const isBefore = line !== undefined && firstLine <= line;
    return onBases.has(rule) ? !isOfBase || isBefore : isOfStage && isBefore;
  };
}

/** The line of the first instruction that is none. */
function unreadAt(instructions: ParsedDockerfile["instructions"]): number | undefined {
  try {
    checkInstructions(instructions);
    return undefined;
  } catch (error) {
    return rangeOf(error)?.firstLine;
  }
}
