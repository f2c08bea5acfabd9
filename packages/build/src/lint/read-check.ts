import { goQuote, parseGoBool } from "@hawser/base";
import { invalidAsWhole } from "../dockerfile/faults.ts";

/** What a Dockerfile wants of its checks. */
export interface CheckOptions {
  /** Names of rules in small letters; `all` stands for all. */
  readonly skipped: ReadonlySet<string>;
  readonly experimental: ReadonlySet<string>;
  readonly areErrors: boolean;
}

/** `skip=A,B;error=true;experimental=C`. @throws {Fault} `invalid-argument` in BuildKit's words */
export function readCheck(text: string): CheckOptions {
  const sets = { skip: new Set<string>(), experimental: new Set<string>() };
  let areErrors = false;
  for (const part of text.trim() === "" ? [] : text.trim().split(";")) {
    const bad = (words: string) => invalidAsWhole(`failed to parse check options: ${words}`);
    const at = part.indexOf("=");
    const name = at < 0 ? part : part.slice(0, at).trim();
    const value = part.slice(at + 1).trim();
    if (at >= 0 && (name === "skip" || name === "experimental")) {
      for (const rule of value.split(",")) sets[name].add(rule.trim().toLowerCase());
    } else if (at >= 0 && name === "error") {
      const isError = parseGoBool(value);
      if (isError === undefined) {
        const why = `strconv.ParseBool: parsing ${goQuote(value)}: invalid syntax`;
        throw bad(`failed to parse check option ${goQuote(part)}: ${why}`);
      }
      areErrors = isError;
    } else throw bad(`invalid check option ${goQuote(name)}`);
  }
  return { skipped: sets.skip, experimental: sets.experimental, areErrors };
}
