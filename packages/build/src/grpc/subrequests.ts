import { Fault } from "@hawser/base";
import { rangeOf } from "../dockerfile/faults.ts";
import { parseDockerfile } from "../dockerfile/parse-dockerfile.ts";
import { formatSourceLines } from "../dockerfile/source-range.ts";
import { type LintWarning, lintDockerfile } from "../lint/lint-dockerfile.ts";
import type { BuildPlan } from "../planner/plan-dockerfile.ts";
import { protocolFaults } from "./faults.ts";
import type { FaultySource } from "./grpc-error.ts";
import { descriptionOf, formatOutline, locationOf, outlineOf } from "./outline.ts";

/** Questions about a Dockerfile that build nothing, BuildKit's subrequests, by name. */
const subrequests = {
  "frontend.outline": {
    version: "1.0.0",
    description: "List all parameters current build target supports",
    answer: outline,
  },
  "frontend.lint": { version: "1.0.0", description: "Lint a Dockerfile", answer: lint },
  "frontend.targets": {
    version: "1.0.0",
    description: "List all build targets for a Dockerfile",
    answer: targets,
  },
} as const;

/** The one question that needs no Dockerfile: which there are. */
export const describeSubrequests = "frontend.subrequests.describe";

/** A Dockerfile, and what it comes to. */
export interface CheckedSource extends FaultySource {
  /** Absent: nothing but the text is looked at. */
  readonly plan?: () => Promise<BuildPlan>;
  /** What is said of checks, in the place of the text's own `# check=`. */
  readonly check?: string | undefined;
}

type Answer = Readonly<Record<string, string>>;

/** @throws {Fault} `not-implemented` for a question that this front end does not know */
export async function answerSubrequest(
  name: string,
  source: CheckedSource,
): Promise<Readonly<Record<string, Uint8Array>>> {
  const answer = name === describeSubrequests ? describe() : await known(name).answer(source);
  const version = name === describeSubrequests ? "1.0.0" : known(name).version;
  const entries = Object.entries({ ...answer, version });
  return Object.fromEntries(entries.map(([key, text]) => [key, Buffer.from(text)]));
}

function known(name: string) {
  if (name in subrequests) return subrequests[name as keyof typeof subrequests];
  throw protocolFaults.CALL_UNKNOWN(`the front end's request ${name}`);
}

function describe(): Answer {
  const all = Object.entries(subrequests).map(([Name, { version, description }]) => ({
    Name,
    Version: version,
    Type: "rpc",
    Description: description,
    Opts: null,
    Inputs: null,
    Metadata: [{ Name: "result.json" }, { Name: "result.txt" }],
    Refs: null,
  }));
  const text = all.map(({ Name, Version, Description }) => `${Name}\t${Version}\t${Description}\n`).join("");
  return { "result.json": JSON.stringify(all), "result.txt": text };
}

async function lint(source: CheckedSource): Promise<Answer> {
  const { warnings, error } = await lintOrFail(source);
  const result = {
    warnings: warnings.map(({ rule, description, url, detail, range }) => ({
      ruleName: rule,
      description,
      url,
      detail,
      location: locationOf(range),
    })),
    sources: [
      {
        filename: source.filename,
        data: Buffer.from(source.text).toString("base64"),
        language: "Dockerfile",
      },
    ],
    ...(error && { buildError: error }),
  };
  const isClean = warnings.length === 0 && error === undefined;
  return {
    "result.json": JSON.stringify(result, undefined, 2),
    "result.txt": warnings.map((warning) => formatWarning(warning, source)).join(""),
    "result.statuscode": isClean ? "0" : "1",
  };
}

async function outline({ text, plan }: CheckedSource): Promise<Answer> {
  const found = plan === undefined ? {} : outlineOf(await plan(), text);
  const sources = [Buffer.from(text).toString("base64")];
  return {
    "result.json": JSON.stringify({ ...found, sources }, undefined, 2),
    "result.txt": formatOutline(found),
  };
}

async function lintOrFail({ text, plan, check }: CheckedSource) {
  let warnings: readonly LintWarning[] = [];
  try {
    const parsed = parseDockerfile(text);
    ({ warnings } = lintDockerfile(parsed, text, { check }));
    const findings = (await plan?.())?.findings ?? [];
    ({ warnings } = lintDockerfile(parsed, text, { check, findings }));
    return { warnings, error: undefined };
  } catch (thrown) {
    const range = rangeOf(thrown);
    if (!Fault.is(thrown)) throw thrown;
    const error = { message: thrown.message, ...(range && { location: locationOf(range) }) };
    return { warnings, error };
  }
}

function formatWarning({ rule, url, detail, range }: LintWarning, { filename, text }: FaultySource): string {
  return `\nWARNING: ${rule} - ${url}\n${detail}\n\n${formatSourceLines(text, { name: filename, range })}\n`;
}

function targets({ text }: FaultySource): Answer {
  const stages = parseDockerfile(text).instructions.filter(({ name }) => name === "FROM");
  const found = stages.map(({ args: [base = "", , typed = ""], range }, at) => {
    const name = typed.toLowerCase();
    const description = descriptionOf(text, { name, range });
    return {
      ...(name !== "" && { name }),
      ...(at === stages.length - 1 && { default: true }),
      ...(description !== undefined && { description }),
      base,
      location: locationOf(range),
    };
  });
  const lines = found.map(
    ({ name = "", ...rest }) => `${"default" in rest ? `${name} (default)`.trim() : name}\n`,
  );
  return {
    "result.json": JSON.stringify(
      { targets: found, sources: [Buffer.from(text).toString("base64")] },
      undefined,
      2,
    ),
    "result.txt": `TARGET\n${lines.join("")}`,
  };
}
