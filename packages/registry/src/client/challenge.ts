/** What a registry wants of those who ask. RFC 9110, 11.6.1. */
export type Challenge =
  | { readonly scheme: "basic" }
  | {
      readonly scheme: "bearer";
      readonly realm: string;
      readonly service: string;
      readonly scope: string;
    };

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const parameterPattern = new RegExp(`^\\s*,?\\s*(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))`);
const schemePattern = new RegExp(`^[\\s,]*(${token})(?:\\s+|$)`);
const maxHeaderLength = 8192;

/** The challenges of a `WWW-Authenticate` header that can be met, in order; others are left out. */
export function parseChallenges(header: string): readonly Challenge[] {
  const found: Challenge[] = [];
  let rest = header.slice(0, maxHeaderLength);
  for (;;) {
    const scheme = schemePattern.exec(rest);
    if (scheme === null) return found;
    rest = rest.slice(scheme[0].length);
    const parameters = new Map<string, string>();
    for (;;) {
      const parameter = parameterPattern.exec(rest);
      if (parameter === null) break;
      const [whole, name = "", quoted, plain = ""] = parameter;
      parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/gs, "$1") ?? plain);
      rest = rest.slice(whole.length);
    }
    const challenge = challengeOf(scheme[1] ?? "", parameters);
    if (challenge !== undefined) found.push(challenge);
  }
}

function challengeOf(scheme: string, parameters: ReadonlyMap<string, string>): Challenge | undefined {
  switch (scheme.toLowerCase()) {
    case "basic":
      return { scheme: "basic" };
    case "bearer": {
      const realm = parameters.get("realm");
      if (realm === undefined) return undefined;
      const service = parameters.get("service") ?? "";
      return { scheme: "bearer", realm, service, scope: parameters.get("scope") ?? "" };
    }
    default:
      return undefined;
  }
}
