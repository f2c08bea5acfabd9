import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { errnoOf, parseGoBool } from "@hawser/base";
import { cliFaults } from "../faults.ts";
import type { Flag } from "../flags/flag.ts";
import { parseCsvFields } from "../options/csv-fields.ts";
import { valueError } from "../options/value-error.ts";
import type { Session } from "../session.ts";
import type { ContextStore, StoredContext, TlsFiles } from "./context-store.ts";

/** `--docker`: fields with their values, as Go's pflag reads them. */
export function endpointFlag(usage: string): Flag<ReadonlyMap<string, string>> {
  return {
    usage,
    typeName: "stringToString",
    initial: new Map(),
    shownDefault: "[]",
    parse: (text, before) => {
      const fields = parseCsvFields(text).map((field): [string, string] => {
        const at = field.indexOf("=");
        if (at < 0) throw valueError(`${field} must be formatted as key=value`);
        return [field.slice(0, at), field.slice(at + 1)];
      });
      return new Map([...before, ...fields]);
    },
  };
}

/** What help says of `--docker`. */
export function endpointHelp(verb: "create" | "update"): string {
  const summary = verb === "create" ? "Create a context" : "Update a context";
  return `${summary}

Docker endpoint config:

NAME                DESCRIPTION
from                Copy named context's Docker endpoint configuration
host                Docker endpoint on which to connect
ca                  Trust certs signed only by this CA
cert                Path to TLS certificate file
key                 Path to TLS key file
skip-tls-verify     Skip TLS certificate validation

Example:

$ hawser context ${verb} my-context --description "some description" --docker "host=tcp://myserver:2376,ca=~/ca-file,cert=~/cert-file,key=~/key-file"
`;
}

/** What `--docker` describes. */
export interface DescribedEndpoint {
  readonly endpoint: StoredContext["endpoint"];
  readonly tls: TlsFiles;
}

const fileOfKey: Readonly<Record<string, keyof TlsFiles>> = {
  ca: "ca.pem",
  cert: "cert.pem",
  key: "key.pem",
};

/**
 * The endpoint of `--docker host=…,ca=…,cert=…,key=…,skip-tls-verify=…` or `--docker from=context`.
 *
 * @throws {Fault} `invalid-argument` with `what` in front, in Docker's words
 */
export function describeEndpoint(
  session: Session,
  fields: ReadonlyMap<string, string>,
  { store, what }: { readonly store: ContextStore; readonly what: string },
): DescribedEndpoint {
  const refuse = (why: string) => cliFaults.VALUE_INVALID(`unable to ${what} docker endpoint config: ${why}`);
  for (const key of fields.keys()) {
    if (!["host", "skip-tls-verify", "from", ...Object.keys(fileOfKey)].includes(key))
      throw refuse(`unrecognized config key: ${key}`);
  }
  const from = fields.get("from");
  if (from !== undefined) {
    const source = sourceContext(session, store, from);
    return { endpoint: source.context.endpoint, tls: source.tls };
  }
  const skip = fields.get("skip-tls-verify") ?? "false";
  const isTrue = parseGoBool(skip);
  if (isTrue === undefined) throw refuse(`skip-tls-verify: parsing ${JSON.stringify(skip)}: invalid syntax`);
  const tls = Object.entries(fileOfKey).flatMap(([key, file]) => {
    const path = fields.get(key) ?? "";
    if (path === "") return [];
    try {
      return [[file, readFileSync(resolve(session.workingDir, path))] as const];
    } catch (error) {
      const why = errnoOf(error) === "ENOENT" ? "no such file or directory" : String(errnoOf(error));
      throw refuse(`open ${path}: ${why}`);
    }
  });
  return {
    endpoint: { host: fields.get("host") ?? "", skipTlsVerify: isTrue },
    tls: Object.fromEntries(tls),
  };
}

/** A context to make another of; the default one is what the session's own engine is. */
export function sourceContext(
  session: Session,
  store: ContextStore,
  name: string,
): { readonly context: StoredContext; readonly tls: TlsFiles } {
  if (name !== "default") return { context: store.read(name), tls: store.tlsFiles(name) };
  return { context: defaultContext(session), tls: {} };
}

/** What there is without any context, as Docker describes it. */
export function defaultContext(session: Session): StoredContext {
  return {
    name: "default",
    description: "Current DOCKER_HOST based configuration",
    endpoint: { host: session.defaultEndpoint(), skipTlsVerify: false },
  };
}
