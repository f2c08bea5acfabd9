import { parseGoBool } from "@hawser/base";
import { protocolFaults } from "./faults.ts";
import type { SolveRequest } from "./generated/control_pb.ts";
import type { CachePlaceRequest } from "./ports.ts";

/** Results of other builders that a request may use, and where its own are to go. */
export interface CachePlaces {
  readonly imports: readonly CachePlaceRequest[];
  /** Places of their own. */
  readonly exports: readonly CachePlaceRequest[];
  /** Images say what their layers were made of. */
  readonly isInline: boolean;
}

/**
 * `--cache-from` and `--cache-to`, as clients of any age say them: fields of the request, attributes of the front end, a build
 * argument.
 *
 * @throws {Fault} `invalid-argument`; `not-implemented` for a kind of place that is not known here, by its name
 */
export function readCachePlaces({ cache, frontendAttrs }: SolveRequest): CachePlaces {
  const told = (cache?.imports ?? []).map(({ type, attrs }) => ({ type, attributes: attrs }));
  const imports = told.length > 0 ? told : attributeImports(frontendAttrs);
  const exports = (cache?.exports ?? []).map(({ type, attrs }) => ({ type, attributes: attrs }));
  for (const { type, attributes } of imports) {
    check("importer", type, ["registry", "local"]);
    if (type === "registry") needAttribute(attributes, "ref", type);
  }
  for (const { type, attributes } of exports) {
    check("exporter", type, ["registry", "local", "inline"]);
    checkExport(type, attributes);
  }
  const inlineArg = frontendAttrs["build-arg:BUILDKIT_INLINE_CACHE"] ?? "";
  return {
    imports,
    exports: exports.filter(({ type }) => type !== "inline"),
    isInline: exports.some(({ type }) => type === "inline") || parseGoBool(inlineArg) === true,
  };
}

/** Attributes of exports that are heeded. `dest`, `tag` and `reset` are the client's own affair. */
const heeded: Readonly<Record<string, readonly string[]>> = {
  registry: ["ref"],
  local: ["dest", "tag", "reset", "store"],
  inline: [],
};

const heededAll = [
  "mode",
  "compression",
  "compression-level",
  "force-compression",
  "oci-mediatypes",
  "image-manifest",
  "ignore-error",
];

function checkExport(type: string, attributes: Readonly<Record<string, string>>): void {
  if (type === "registry") needAttribute(attributes, "ref", type);
  if (type === "local") needAttribute(attributes, "dest", type);
  for (const name of Object.keys(attributes)) {
    if (![...heededAll, ...(heeded[type] ?? [])].includes(name)) {
      throw protocolFaults.CALL_UNKNOWN(`the attribute ${JSON.stringify(name)} of a ${type} cache`);
    }
  }
  const { mode = "min" } = attributes;
  if (mode !== "min" && mode !== "max") {
    throw protocolFaults.FRONTEND_FAILED(`invalid cache export mode ${JSON.stringify(mode)}: min or max`);
  }
}

function needAttribute(attributes: Readonly<Record<string, string>>, name: string, type: string): void {
  if ((attributes[name] ?? "") === "")
    throw protocolFaults.FRONTEND_FAILED(`a ${type} cache needs the attribute ${JSON.stringify(name)}`);
}

function check(what: string, type: string, known: readonly string[]): void {
  if (known.includes(type)) return;
  throw protocolFaults.CALL_UNKNOWN(`the cache ${what} ${JSON.stringify(type)} (known: ${known.join(", ")})`);
}

/** `cache-imports`, JSON with Go's names of fields; `cache-from`, a list of references, is the older form. */
function attributeImports(attributes: Readonly<Record<string, string>>): readonly CachePlaceRequest[] {
  const { "cache-imports": json = "", "cache-from": references = "" } = attributes;
  if (json === "") {
    return references
      .split(",")
      .filter((ref) => ref !== "")
      .map((ref) => ({ type: "registry", attributes: { ref } }));
  }
  let entries: unknown;
  try {
    entries = JSON.parse(json);
  } catch (error) {
    throw invalidImports().because(error);
  }
  if (!Array.isArray(entries)) throw invalidImports();
  return entries.map((entry: unknown) => {
    if (typeof entry !== "object" || entry === null) throw invalidImports();
    const fields = new Map(
      Object.entries(entry).map(([name, value]) => [name.toLowerCase(), value as unknown]),
    );
    const [type, attrs] = [fields.get("type"), fields.get("attrs") ?? {}];
    if (typeof type !== "string" || typeof attrs !== "object" || attrs === null) throw invalidImports();
    const pairs = Object.entries(attrs).map(([name, value]): [string, string] => [name, String(value)]);
    return { type, attributes: Object.fromEntries(pairs) };
  });
}

function invalidImports() {
  return protocolFaults.FRONTEND_FAILED("cache-imports is no list of cache places");
}
