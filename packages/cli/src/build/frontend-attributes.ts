import type { Ulimit } from "@hawser/api";
import { parseCsvFields, splitPair } from "../options/csv-fields.ts";
import { valueError } from "../options/value-error.ts";

/** What of a build's options a Dockerfile's front end is told. */
export interface FrontendOptions {
  readonly filename: string;
  readonly target: string;
  readonly platforms: readonly string[];
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly noCache: boolean;
  readonly noCacheFilter: readonly string[];
  readonly pull: boolean;
  readonly network: string;
  /** `name:address` */
  readonly extraHosts: readonly string[];
  readonly ulimits: readonly Ulimit[];
  readonly shmSizeBytes: number;
  readonly cgroupParent: string;
  readonly cacheFrom: readonly CacheEntry[];
  readonly attestations: readonly string[];
}

/** In BuildKit's words. */
export interface CacheEntry {
  readonly Type: string;
  readonly Attrs: Readonly<Record<string, string>>;
}

/** The attributes of BuildKit's front end `dockerfile.v0`, as buildx writes them. @throws {Fault} `invalid-argument` */
export function frontendAttributes(options: FrontendOptions): Readonly<Record<string, string>> {
  const prefixed = (prefix: string, map: Readonly<Record<string, string>>) =>
    Object.entries(map).map(([name, value]) => [`${prefix}:${name}`, value] as const);
  const given = (name: string, text: string) => (text === "" ? [] : [[name, text] as const]);
  const { noCache, noCacheFilter } = options;
  if (noCache && noCacheFilter.length > 0) {
    throw valueError("--no-cache and --no-cache-filter cannot currently be used together");
  }
  const hosts = options.extraHosts.map((host) => host.replace(":", "="));
  const ulimits = options.ulimits.map(({ Name, Soft, Hard }) => `${Name}=${Soft}:${Hard}`);
  return Object.fromEntries([
    ["filename", options.filename] as const,
    ...given("target", options.target),
    ...given("platform", options.platforms.join(",")),
    ...prefixed("build-arg", options.buildArgs),
    ...prefixed("label", options.labels),
    ...(noCache ? [["no-cache", ""] as const] : given("no-cache", noCacheFilter.join(","))),
    ...(options.pull ? [["image-resolve-mode", "pull"] as const] : []),
    ...given("force-network-mode", options.network === "default" ? "" : options.network),
    ...given("add-hosts", hosts.join(",")),
    ...given("ulimit", ulimits.join(",")),
    ...given("shm-size", options.shmSizeBytes === 0 ? "" : String(options.shmSizeBytes)),
    ...given("cgroup-parent", options.cgroupParent),
    ...given("cache-imports", options.cacheFrom.length === 0 ? "" : JSON.stringify(options.cacheFrom)),
    ...options.attestations.map(attestation),
  ]);
}

/** `--attest type=sbom,generator=image` → `attest:sbom`. */
function attestation(text: string): readonly [string, string] {
  const fields = parseCsvFields(text);
  const type = fields.find((field) => field.startsWith("type="))?.slice("type=".length);
  if (type === undefined || type === "") throw valueError(`attestation type not specified: ${text}`);
  return [`attest:${type}`, fields.filter((field) => !field.startsWith("type=")).join(",")];
}

/** `--provenance=mode=max`, `--sbom=true` as `--attest` has them. */
export function attestationOf(type: string, text: string): readonly string[] {
  if (text === "" || text === "false") return [];
  return [text === "true" ? `type=${type}` : `type=${type},${text}`];
}

/** `--cache-from`, `--cache-to`: `type=registry,ref=x`, or `x` for the same. @throws {Fault} `invalid-argument` */
export function parseCacheEntry(text: string): CacheEntry {
  const fields = parseCsvFields(text);
  if (fields.every((field) => !field.includes("="))) return { Type: "registry", Attrs: { ref: text } };
  const pairs = fields.map((field) => {
    const [name, value] = splitPair(field);
    if (value === undefined) throw valueError(`invalid value ${field}`);
    return [name.trim().toLowerCase(), value] as const;
  });
  const { type = "", ...attributes } = Object.fromEntries(pairs) as Record<string, string>;
  if (type === "") throw valueError(`type required form> ${JSON.stringify(text)}`);
  return { Type: type, Attrs: attributes };
}

/** `--build-context name=place`. @throws {Fault} `invalid-argument` */
export function parseNamedContext(text: string): readonly [name: string, place: string] {
  const [name, place] = splitPair(text);
  if (place === undefined || place === "" || name === "") {
    throw valueError(`invalid context value: ${text}, expected key=value`);
  }
  return [name, place];
}
