import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { errnoOf } from "@hawser/base";
import { parseReference } from "@hawser/oci";
import type { AccessRule, Action } from "./access.ts";
import { parseName } from "./call.ts";
import { serverFaults } from "./faults.ts";
import type { S3Options } from "./s3-bucket.ts";
import type { RegistryUpstream } from "./upstream.ts";

/** What a registry is started with: command line over configuration file over defaults. */
export interface RegistryConfig {
  readonly command: "serve" | "garbage-collect";
  readonly data: string;
  readonly host: string;
  readonly port: number;
  /** Paths; or it makes a certificate of its own, for these names, too. */
  readonly tls?:
    | { readonly certificate: string; readonly key: string }
    | { readonly names: readonly string[] };
  readonly tokens?: TokenConfig;
  /** Path of an htpasswd file. */
  readonly htpasswd?: string;
  readonly rules?: readonly AccessRule[];
  readonly anonymousPull: boolean;
  readonly readOnly: boolean;
  readonly deletes: boolean;
  readonly takesSparse: boolean;
  readonly page: boolean;
  readonly accessLog: boolean;
  readonly debug: boolean;
  readonly mirrors: readonly RegistryUpstream[];
  /** A tag of a mirrored repository is believed for so long. */
  readonly mirrorFreshSeconds: number;
  /** What of them nobody uses goes after so long. */
  readonly mirrorKeepDays: number;
  readonly insecureRegistries: readonly string[];
  readonly hostFolders: readonly string[];
  readonly webhooks: readonly string[];
  /** Blobs are in a bucket. */
  readonly s3?: S3Options;
  readonly garbage: {
    /** 0: only when asked. */
    readonly everyHours: number;
    readonly graceHours: number;
    readonly untagged: boolean;
  };
  readonly dryRun: boolean;
}

/** Bearer tokens of the registry itself, or of a service; keys as paths. */
export type TokenConfig =
  | { readonly by: "registry"; readonly name: string; readonly realm?: string }
  | {
      readonly by: "service";
      readonly realm: string;
      readonly service: string;
      readonly issuer: string;
      readonly certificates?: string;
      readonly jwks?: string;
    };

export const registryUsage = `Usage:  hawser-registry [serve] [OPTIONS]
        hawser-registry garbage-collect [OPTIONS]

An image registry (OCI distribution-spec 1.1)

Options:
      --access-log           Log every request
      --address string       Where to listen (default "127.0.0.1:5000")
      --anonymous-pull       Whoever has not logged in may pull
      --config string        Read the options from a JSON file; the command line wins
      --data string          Folder of everything (default "/var/lib/hawser-registry")
      --debug                Log more
      --dry-run              garbage-collect: tell what would go
      --grace-hours number   Nothing younger is collected (default 24)
      --htpasswd string      Users and their passwords (htpasswd -B), as they are when somebody logs in; without it nobody
                             needs to log in
      --insecure-registry string
                             --mirror: a registry that may be spoken to without TLS; may be given more than once
      --mirror string        Keep what is pulled from this registry: docker.io, or hub=docker.io for repositories below hub/;
                             may be given more than once
      --no-deletes           Manifests and blobs are not removed by clients
      --no-page              There is no page to browse it with a browser
      --read-only            Nothing is pushed or removed
      --sparse               Take manifests whose blobs are elsewhere
      --tls-cert string      Certificate, PEM
      --tls-key string       Its key, PEM
      --tls-name string      --tls-self: a name or address of this registry; may be given more than once
      --tls-self             Make a certificate, once; its fingerprint is logged
      --token-certs string   Certificates of whoever makes tokens, PEM
      --token-issuer string  Who makes tokens (their "iss")
      --token-jwks string    Keys of whoever makes tokens, a JSON Web Key Set
      --token-realm string   Where clients get tokens; without --tokens from a service elsewhere
      --token-service string Whom tokens are for (their "aud", default "hawser-registry")
      --tokens               Give bearer tokens to the users of --htpasswd, at /token
      --untagged             garbage-collect: manifests without a tag go, too
      --version              Print the version
      --webhook string       Where to tell of pushes; may be given more than once
`;

const options = {
  "access-log": { type: "boolean" },
  address: { type: "string" },
  "anonymous-pull": { type: "boolean" },
  config: { type: "string" },
  data: { type: "string" },
  debug: { type: "boolean" },
  "dry-run": { type: "boolean" },
  "grace-hours": { type: "string" },
  help: { type: "boolean", short: "h" },
  htpasswd: { type: "string" },
  "insecure-registry": { type: "string", multiple: true },
  mirror: { type: "string", multiple: true },
  "no-deletes": { type: "boolean" },
  "no-page": { type: "boolean" },
  "read-only": { type: "boolean" },
  sparse: { type: "boolean" },
  "tls-cert": { type: "string" },
  "tls-key": { type: "string" },
  "tls-name": { type: "string", multiple: true },
  "tls-self": { type: "boolean" },
  "token-certs": { type: "string" },
  "token-issuer": { type: "string" },
  "token-jwks": { type: "string" },
  "token-realm": { type: "string" },
  "token-service": { type: "string" },
  tokens: { type: "boolean" },
  untagged: { type: "boolean" },
  version: { type: "boolean" },
  webhook: { type: "string", multiple: true },
} as const;

/**
 * Read the command line, and the file that it names.
 *
 * @returns `help` and `version` when those are asked for
 * @throws {Fault} `invalid-argument`
 */
export function parseRegistryConfig(argv: readonly string[]): RegistryConfig | "help" | "version" {
  const { values, positionals } = parse(argv);
  if (values.help === true) return "help";
  if (values.version === true) return "version";
  const [command = "serve", ...more] = positionals;
  if (more.length > 0 || (command !== "serve" && command !== "garbage-collect")) {
    throw bad(`unknown command: ${positionals.join(" ")}`);
  }
  const file = values.config === undefined ? new ConfigFile({}) : readConfig(values.config);
  const htpasswd = values.htpasswd ?? file.text("htpasswd");
  const tls = readTls(values, file);
  const tokens = readTokens(values, file);
  if (tokens?.by === "registry" && htpasswd === undefined) throw bad("--tokens wants --htpasswd");
  const rules = file.rules();
  const s3 = file.s3();
  const graceHours = Number(values["grace-hours"] ?? file.number("graceHours") ?? 24);
  if (!(graceHours >= 0)) throw bad("--grace-hours is not a number");
  const config: RegistryConfig = {
    command,
    data: values.data ?? file.text("data") ?? "/var/lib/hawser-registry",
    ...parseAddress(values.address ?? file.text("address") ?? "127.0.0.1:5000"),
    ...(tls && { tls }),
    ...(tokens && { tokens }),
    ...(htpasswd !== undefined && { htpasswd }),
    ...(rules !== undefined && { rules }),
    ...(s3 && { s3 }),
    anonymousPull: values["anonymous-pull"] ?? file.flag("anonymousPull"),
    readOnly: values["read-only"] ?? file.flag("readOnly"),
    deletes: !(values["no-deletes"] ?? file.flag("noDeletes")),
    takesSparse: values.sparse ?? file.flag("sparse"),
    page: !(values["no-page"] ?? file.flag("noPage")),
    accessLog: values["access-log"] ?? file.flag("accessLog"),
    debug: values.debug ?? file.flag("debug"),
    mirrors: values.mirror?.map(parseMirror) ?? file.mirrors(),
    mirrorFreshSeconds: file.number("mirrorFreshSeconds") ?? 60,
    mirrorKeepDays: file.number("mirrorKeepDays") ?? 7,
    insecureRegistries: values["insecure-registry"] ?? file.texts("insecureRegistries"),
    hostFolders: file.texts("hostFolders"),
    webhooks: values.webhook ?? file.texts("webhooks"),
    garbage: {
      everyHours: file.number("collectEveryHours") ?? 24,
      graceHours,
      untagged: values.untagged ?? file.flag("untagged"),
    },
    dryRun: values["dry-run"] === true,
  };
  file.requireNoOthers();
  return config;
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    throw bad(error instanceof Error ? error.message : String(error));
  }
}

type Values = ReturnType<typeof parse>["values"];

function readTls(values: Values, file: ConfigFile): RegistryConfig["tls"] {
  const certificate = values["tls-cert"] ?? file.text("tlsCert");
  const key = values["tls-key"] ?? file.text("tlsKey");
  const names = values["tls-name"] ?? file.texts("tlsNames");
  if (values["tls-self"] ?? file.flag("tlsSelf")) {
    if (certificate !== undefined || key !== undefined)
      throw bad("--tls-self makes --tls-cert and --tls-key");
    return { names };
  }
  if (certificate !== undefined && key !== undefined) return { certificate, key };
  if (certificate !== undefined || key !== undefined)
    throw bad("--tls-cert and --tls-key are wanted together");
  if (names.length > 0) throw bad("--tls-name is for --tls-self");
  return undefined;
}

function readTokens(values: Values, file: ConfigFile): TokenConfig | undefined {
  const realm = values["token-realm"] ?? file.text("tokenRealm");
  const service = values["token-service"] ?? file.text("tokenService") ?? "hawser-registry";
  const issuer = values["token-issuer"] ?? file.text("tokenIssuer");
  const certificates = values["token-certs"] ?? file.text("tokenCerts");
  const jwks = values["token-jwks"] ?? file.text("tokenJwks");
  const hasKeys = certificates !== undefined || jwks !== undefined;
  if (realm !== undefined && !URL.canParse(realm)) throw bad(`--token-realm "${realm}" is no address`);
  if (values.tokens ?? file.flag("tokens")) {
    if (issuer !== undefined || hasKeys) throw bad("--tokens are the registry's own: it has its own key");
    return { by: "registry", name: service, ...(realm !== undefined && { realm }) };
  }
  if (realm === undefined && issuer === undefined && !hasKeys) return undefined;
  if (realm === undefined || issuer === undefined || !hasKeys) {
    throw bad("tokens of a service want --token-realm, --token-issuer, and --token-certs or --token-jwks");
  }
  return {
    by: "service",
    realm,
    service,
    issuer,
    ...(certificates !== undefined && { certificates }),
    ...(jwks !== undefined && { jwks }),
  };
}

/** `docker.io`, `hub=docker.io` */
function parseMirror(text: string): RegistryUpstream {
  const [, prefix = "", registry = ""] = /^(?:([^=]+)=)?([^=/]+)$/.exec(text) ?? [];
  return checkMirror({ prefix, registry });
}

function checkMirror(upstream: RegistryUpstream): RegistryUpstream {
  const { prefix, registry } = upstream;
  if (parseReference(`${registry}/x`).domain !== registry || (prefix !== "" && parseName(prefix) === "")) {
    throw bad(`a mirror of "${registry}": a registry as references name it was wanted`);
  }
  return upstream;
}

function parseAddress(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain = "", port = ""] = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  if (port === "" || Number(port) > 65535) throw bad(`invalid address "${text}": host:port was wanted`);
  return { host: bracketed ?? (plain || "0.0.0.0"), port: Number(port) };
}

function readConfig(path: string): ConfigFile {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new SyntaxError("not an object");
    return new ConfigFile(value as Readonly<Record<string, unknown>>);
  } catch (error) {
    if (errnoOf(error) === undefined && !(error instanceof SyntaxError)) throw error;
    throw bad(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The file's values; what nobody has asked for is unknown. */
class ConfigFile {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #asked = new Set<string>();

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  text(name: string): string | undefined {
    return this.#read(name, "a text", (value) => typeof value === "string") as string | undefined;
  }

  flag(name: string): boolean {
    return this.#read(name, "true or false", (value) => typeof value === "boolean") === true;
  }

  number(name: string): number | undefined {
    return this.#read(name, "a number", (value) => typeof value === "number") as number | undefined;
  }

  texts(name: string): readonly string[] {
    const isList = (value: unknown) =>
      Array.isArray(value) && value.every((item) => typeof item === "string");
    return (this.#read(name, "a list of texts", isList) ?? []) as readonly string[];
  }

  rules(): readonly AccessRule[] | undefined {
    const rules = this.#read("rules", "a list", Array.isArray) as readonly unknown[] | undefined;
    return rules?.map((rule) => {
      const { user, repository, actions } = (rule ?? {}) as Readonly<Record<string, unknown>>;
      const isActions = (value: unknown): value is readonly Action[] =>
        Array.isArray(value) && value.every((item) => ["pull", "push", "delete"].includes(String(item)));
      if (typeof user !== "string" || typeof repository !== "string" || !isActions(actions)) {
        throw bad('each of "rules" has a user, a repository and actions (pull, push, delete)');
      }
      return { user, repository, actions };
    });
  }

  s3(): S3Options | undefined {
    const s3 = this.#read("s3", "an object", isObject) as Readonly<Record<string, unknown>> | undefined;
    if (s3 === undefined) return undefined;
    const { bucket, prefix, endpoint, region, accessKeyId, secretAccessKey, pathStyle, ...others } = s3;
    const [other] = Object.keys(others);
    if (other !== undefined) throw bad(`"s3" of the configuration has an unknown key "${other}"`);
    const texts = { prefix, endpoint, region, accessKeyId, secretAccessKey };
    for (const [name, value] of Object.entries(texts)) {
      if (value !== undefined && typeof value !== "string") throw bad(`"${name}" of "s3" is not a text`);
    }
    if (typeof bucket !== "string" || bucket === "") throw bad('"s3" of the configuration wants a bucket');
    if (typeof endpoint === "string" && !/^https?:\/\//.test(endpoint))
      throw bad(`"endpoint" of "s3" is no address: ${JSON.stringify(endpoint)}`);
    if (pathStyle !== undefined && typeof pathStyle !== "boolean")
      throw bad('"pathStyle" of "s3" is not true or false');
    if ((accessKeyId === undefined) !== (secretAccessKey === undefined))
      throw bad('"accessKeyId" and "secretAccessKey" of "s3" are wanted together');
    const isGiven = typeof accessKeyId === "string" && typeof secretAccessKey === "string";
    return {
      bucket,
      ...(typeof prefix === "string" && { prefix }),
      ...(typeof endpoint === "string" && { endpoint }),
      ...(typeof region === "string" && { region }),
      ...(isGiven && { credentials: { accessKeyId, secretAccessKey } }),
      ...(pathStyle !== undefined && { pathStyle }),
    };
  }

  mirrors(): readonly RegistryUpstream[] {
    const mirrors = (this.#read("mirrors", "a list", Array.isArray) ?? []) as readonly unknown[];
    return mirrors.map((mirror) => {
      const {
        registry,
        prefix = "",
        username,
        password,
      } = (mirror ?? {}) as Readonly<Record<string, unknown>>;
      const isPair = typeof username === "string" && typeof password === "string";
      if (typeof registry !== "string" || typeof prefix !== "string" || (username !== undefined && !isPair)) {
        throw bad('each of "mirrors" has a registry and may have a prefix, a username and a password');
      }
      return checkMirror({ registry, prefix, ...(isPair && { credentials: { username, password } }) });
    });
  }

  /** @throws {Fault} `invalid-argument`, naming what is not known */
  requireNoOthers(): void {
    const other = Object.keys(this.#values).find((name) => !this.#asked.has(name));
    if (other !== undefined) throw bad(`the configuration has an unknown key "${other}"`);
  }

  #read(name: string, wanted: string, fits: (value: unknown) => boolean): unknown {
    this.#asked.add(name);
    const value = this.#values[name];
    if (value !== undefined && !fits(value)) throw bad(`"${name}" of the configuration is not ${wanted}`);
    return value;
  }
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function bad(words: string) {
  return serverFaults.CONFIG_INVALID(words);
}
