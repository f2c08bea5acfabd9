import { parsePlatform } from "@hawser/oci";
import { didYouMean } from "../dockerfile/did-you-mean.ts";
import type { InstructionNode, ParsedDockerfile } from "../dockerfile/parse-dockerfile.ts";
import type { SourceRange } from "../dockerfile/source-range.ts";
import { reachedRules } from "./reached-rules.ts";
import { readCheck } from "./read-check.ts";
import { type RuleName, rules } from "./rules.ts";

/** Something in a Dockerfile that is allowed, and most often a mistake. */
export interface LintWarning {
  readonly rule: RuleName;
  readonly description: string;
  readonly url: string;
  /** What it is here. */
  readonly detail: string;
  readonly range: SourceRange;
}

/** The same, of a rule that needs more than the text. */
export type LintFinding = Pick<LintWarning, "rule" | "detail" | "range">;

export interface LintResult {
  readonly warnings: readonly LintWarning[];
  /** The Dockerfile wants warnings to be errors: `# check=error=true`. */
  readonly areErrors: boolean;
}

type Add = (rule: RuleName, node: { readonly range: SourceRange }, detail: string) => void;

/** A stage while its instructions are looked at. */
interface StageFacts {
  /** The last instruction of each name. */
  readonly seen: Map<string, InstructionNode>;
  hasShell: boolean;
  hasWorkdir: boolean;
}

/**
 * Docker's build checks (https://docs.docker.com/reference/build-checks/). In the order of the lines; `# check=skip=…` leaves rules
 * out.
 *
 * @param source the text that was parsed
 * @param options.findings what only shows when the text is planned
 * @param options.failure why the text cannot be planned: only what BuildKit has looked for by then counts
 * @param options.check in the place of the text's own `# check=` (`BUILDKIT_DOCKERFILE_CHECK`)
 */
export function lintDockerfile(
  parsed: ParsedDockerfile,
  source: string,
  {
    findings = [],
    check = parsed.directives.get("check") ?? "",
    failure,
  }: {
    readonly findings?: readonly LintFinding[];
    readonly check?: string | undefined;
    readonly failure?: unknown;
  } = {},
): LintResult {
  const { skipped, experimental, areErrors } = readCheck(check);
  const isReached = failure === undefined ? () => true : reachedRules(parsed, failure);
  const warnings: LintWarning[] = [];
  const add: Add = (rule, { range }, detail) => {
    const isNamed = (names: ReadonlySet<string>) => names.has("all") || names.has(rule.toLowerCase());
    if (isNamed(skipped) || !isReached(rule, range)) return;
    const { description, page, ...traits } = rules[rule];
    if ("isExperimental" in traits && !isNamed(experimental)) return;
    const url = `https://docs.docker.com/go/dockerfile/rule/${page}/`;
    warnings.push({ rule, description, url, detail, range });
  };
  const { instructions, escape } = parsed;
  checkCasing(instructions, add);
  checkContinuations(source.split(/\r?\n/), { instructions, escape, add });
  const names = new Set<string>();
  const declared = new Set(predefinedArgs);
  let stage: StageFacts | undefined;
  for (const node of instructions) {
    if (node.name === "FROM") {
      checkFrom(node, { names, declared, add });
      stage = { seen: new Map(), hasShell: false, hasWorkdir: false };
    } else if (stage === undefined) {
      for (const word of node.args) declared.add(word.replace(/=.*$/s, ""));
      checkSecrets(node, add);
    } else checkInstruction(node, stage, add);
  }
  for (const { rule, range, detail } of findings) add(rule, { range }, detail);
  const ordered = warnings.toSorted((a, b) => a.range.firstLine - b.range.firstLine);
  return { warnings: ordered, areErrors: areErrors && ordered.length > 0 };
}

const isUpper = (word: string) => word === word.toUpperCase();
const isLower = (word: string) => word === word.toLowerCase();

function checkCasing(instructions: readonly InstructionNode[], add: Add): void {
  const upper = instructions.filter(({ typedName }) => isUpper(typedName)).length;
  const lower = instructions.filter(({ typedName }) => isLower(typedName)).length;
  const [fits, wanted] = lower > upper ? [isLower, "lowercase"] : [isUpper, "uppercase"];
  for (const node of instructions) {
    if (fits(node.typedName)) continue;
    const words = `Command '${node.typedName}' should match the case of the command majority (${wanted})`;
    add("ConsistentInstructionCasing", node, words);
  }
}

/** Empty lines between the lines of one instruction. */
function checkContinuations(
  lines: readonly string[],
  at: { readonly instructions: readonly InstructionNode[]; readonly escape: string; readonly add: Add },
): void {
  for (const node of at.instructions) {
    const { firstLine, lastLine } = node.range;
    if (node.heredocs.length > 0) continue;
    const inside = lines.slice(firstLine - 1, lastLine);
    if (inside.some((line) => line.trim() === "")) {
      at.add("NoEmptyContinuation", { range: { firstLine: lastLine, lastLine } }, "Empty continuation line");
    }
  }
}

function checkFrom(
  node: InstructionNode,
  at: { readonly names: Set<string>; readonly declared: ReadonlySet<string>; readonly add: Add },
): void {
  const { names, declared, add } = at;
  const [base = "", as = "AS", name = ""] = node.args;
  if (name !== "") {
    if (isUpper(node.typedName) !== isUpper(as)) {
      add("FromAsCasing", node, `'${as}' and '${node.typedName}' keywords' casing do not match`);
    }
    if (!isLower(name)) add("StageNameCasing", node, `Stage name '${name}' should be lowercase`);
    const key = name.toLowerCase();
    if (reservedNames.includes(key)) {
      const words = `Stage name should not use the same name as reserved stage ${JSON.stringify(key)}`;
      add("ReservedStageName", node, words);
    }
    if (names.has(key)) {
      const words = `Duplicate stage name ${JSON.stringify(name)}, stage names should be unique`;
      add("DuplicateStageName", node, words);
    }
    names.add(key);
  }
  const platform = node.flags.find((flag) => flag.startsWith("--platform="))?.slice("--platform=".length);
  for (const text of [base, platform ?? ""]) {
    for (const [, plain, braced] of text.matchAll(variables)) {
      const variable = plain ?? braced ?? "";
      if (declared.has(variable)) continue;
      const words = `FROM argument '${variable}' is not declared${didYouMean(variable, declared)}`;
      add("UndefinedArgInFrom", node, words);
    }
  }
  if (platform === undefined) return;
  if (/^\$(TARGETPLATFORM|\{TARGETPLATFORM\})$/.test(platform)) {
    const words = `Setting platform to predefined ${platform} in FROM is redundant as this is the default behavior`;
    add("RedundantTargetPlatform", node, words);
  } else if (!platform.includes("$") && !isMeant(platform, name)) {
    const words = `FROM --platform flag should not use constant value ${JSON.stringify(platform)}`;
    add("FromPlatformFlagConstDisallowed", node, words);
  }
}

/** `$a`, `${a}`, `${a:?words}`: but for those that have other words where there is no value. */
const variables = /\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?![^{}]*:[-+])(?=[^\w]))/g;

/** Whether a stage is of one machine by its name; what is no platform at all is told as that. */
function isMeant(platform: string, name: string): boolean {
  try {
    const { os, architecture } = parsePlatform(platform, { os: "linux", architecture: "amd64" });
    return name.toLowerCase().includes(os) || name.toLowerCase().includes(architecture);
  } catch {
    return true;
  }
}

function checkInstruction(node: InstructionNode, stage: StageFacts, add: Add): void {
  const { name, args } = node;
  const before = stage.seen.get(name);
  stage.seen.set(name, node);
  if (onlyOnce.includes(name) && before !== undefined) {
    const words = `Multiple ${name} instructions should not be used in the same stage because only the last one will be used`;
    add("MultipleInstructionsDisallowed", before, words);
  }
  switch (name) {
    case "SHELL":
      stage.hasShell = true;
      break;
    case "CMD":
    case "ENTRYPOINT":
      if (!node.isJson && !stage.hasShell) {
        const words = `JSON arguments recommended for ${name} to prevent unintended behavior related to OS signals`;
        add("JSONArgsRecommended", node, words);
      }
      break;
    case "MAINTAINER":
      add("MaintainerDeprecated", node, "Maintainer instruction is deprecated in favor of using label");
      break;
    case "WORKDIR": {
      const [path = ""] = args;
      if (!stage.hasWorkdir && !/^[/$]/.test(path)) {
        const words = `Relative workdir ${JSON.stringify(path)} can have unexpected results if the base image changes`;
        add("WorkdirRelativePath", node, words);
      }
      stage.hasWorkdir = true;
      break;
    }
    case "ENV":
    case "LABEL":
      if (isLegacyPair(node)) {
        const words = `"${name} key=value" should be used instead of legacy "${name} key value" format`;
        add("LegacyKeyValueFormat", node, words);
      }
      break;
    case "EXPOSE":
      for (const port of args) checkPort(node, port, add);
      break;
    default:
  }
  checkSecrets(node, add);
}

/** `ENV name value`, without `=`. */
function isLegacyPair({ text, typedName }: InstructionNode): boolean {
  const [first = ""] = text.slice(typedName.length).trim().split(/\s/, 1);
  return first !== "" && !first.includes("=");
}

function checkPort(node: InstructionNode, port: string, add: Add): void {
  const protocol = port.split("/")[1] ?? "";
  if (!isLower(protocol)) {
    add("ExposeProtoCasing", node, `Defined protocol '${port}' in EXPOSE instruction should be lowercase`);
  }
  if (/:[^:]+$/.test(port.split("/")[0]?.replace(/\$\{[^}]*\}/g, "x") ?? "")) {
    const words = `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`;
    add("ExposeInvalidFormat", node, words);
  }
}

/** Names that speak of secrets, and of what is public although it sounds like one. */
const secretName = /(^|_)(apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(_|$)/i;
const publicName = /(^|_)public(_|$)/i;

function checkSecrets(node: InstructionNode, add: Add): void {
  if (node.name !== "ARG" && node.name !== "ENV") return;
  const words = isLegacyPair(node) && node.name === "ENV" ? node.args.slice(0, 1) : node.args;
  for (const word of words) {
    const name = word.replace(/=.*$/s, "");
    if (!secretName.test(name) || publicName.test(name)) continue;
    const detail = `Do not use ARG or ENV instructions for sensitive data (${node.name} ${JSON.stringify(name)})`;
    add("SecretsUsedInArgOrEnv", node, detail);
  }
}

const onlyOnce: readonly string[] = ["CMD", "ENTRYPOINT", "HEALTHCHECK"];
const reservedNames: readonly string[] = ["context", "scratch"];
const predefinedArgs: readonly string[] = ["TARGET", "BUILD"].flatMap((prefix) =>
  ["PLATFORM", "OS", "OSVERSION", "ARCH", "VARIANT"].map((part) => prefix + part),
);
