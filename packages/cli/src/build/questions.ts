import { parseCsvFields } from "../options/csv-fields.ts";
import { valueError } from "../options/value-error.ts";
import { type Session, write } from "../session.ts";

/** A question about a Dockerfile that builds nothing. */
export interface Question {
  readonly name: "check" | "outline" | "targets";
  readonly isJson: boolean;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Its name → BuildKit's name of the front end's request. */
const requests = {
  check: "frontend.lint",
  lint: "frontend.lint",
  outline: "frontend.outline",
  targets: "frontend.targets",
} as const;

/** `--call=check[,format=json]`, `--check`. @returns `undefined`: to build is what is wanted */
export function askedQuestion({
  call,
  check,
}: {
  readonly call: string;
  readonly check: boolean;
}): Question | undefined {
  const [name = "", ...options] = parseCsvFields(check ? "check" : call);
  if (name === "build" || name === "") return undefined;
  if (!Object.hasOwn(requests, name)) throw valueError(`unsupported call method ${JSON.stringify(name)}`);
  const known = name as keyof typeof requests;
  return {
    name: known === "lint" ? "check" : known,
    isJson: options.includes("format=json"),
    attributes: { requestid: requests[known] },
  };
}

/** Write the answer. @returns the exit code */
export async function showAnswer(
  session: Session,
  { name, isJson }: Question,
  answer: Readonly<Record<string, string>>,
): Promise<number> {
  const text = answer[isJson ? "result.json" : "result.txt"] ?? "";
  if (isJson) await write(session.stdout, `${text.trimEnd()}\n`);
  else if (name === "check") await showChecks(session, text, answer["result.json"] ?? "");
  else await write(session.stdout, text);
  return Number(answer["result.statuscode"] ?? "0");
}

async function showChecks(session: Session, text: string, json: string): Promise<void> {
  const { warnings = [], buildError } = JSON.parse(json || "{}") as {
    readonly warnings?: readonly unknown[];
    readonly buildError?: { readonly message: string };
  };
  const count = warnings.length;
  const head =
    count === 0 && buildError === undefined
      ? "Check complete, no warnings found.\n"
      : count === 1
        ? "Check complete, 1 warning has been found!\n"
        : `Check complete, ${count} warnings have been found!\n`;
  const error = buildError === undefined ? "" : `\nERROR: ${buildError.message}\n`;
  await write(session.stdout, `${head}${text}${error}`);
}
