import { type Digest, parseDigest } from "./digest.ts";
import type { Platform } from "./platform.ts";
import { DocumentReader, maxConfigBytes, parseForeignJson } from "./read-document.ts";

/**
 * The part of an image's configuration that Hawser acts on. The bytes themselves stay as they are: they are what the
 * image's id is the digest of. image-spec, "Image Configuration", with Docker's additions.
 */
export interface ImageConfig extends Platform {
  readonly osVersion?: string;
  readonly created?: Date;
  readonly author?: string;
  readonly comment?: string;
  readonly dockerVersion?: string;
  readonly execution: ExecutionConfig;
  /** Digests of the uncompressed layers, lowest first. */
  readonly diffIds: readonly Digest[];
  /** Oldest first. */
  readonly history: readonly HistoryEntry[];
  /** BuildKit's `moby.buildkit.cache.v0`, what the layers were made of: JSON in base64. */
  readonly inlineCache?: string;
}

/** What a container of the image does unless told otherwise. Absent: not said. */
export interface ExecutionConfig {
  readonly user: string;
  /** `80/tcp` */
  readonly exposedPorts: readonly string[];
  /** `NAME=value` */
  readonly env: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  /** Paths in the container. */
  readonly volumes: readonly string[];
  readonly workingDir: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal: string;
  readonly healthcheck?: ImageHealthcheck;
  readonly shell?: readonly string[];
  readonly onBuild?: readonly string[];
  /** Of Windows alone; BuildKit says it of every command. */
  readonly argsEscaped?: boolean;
}

export interface ImageHealthcheck {
  readonly test: readonly string[];
  readonly intervalNs: number;
  readonly timeoutNs: number;
  readonly startPeriodNs: number;
  readonly startIntervalNs: number;
  readonly retries: number;
}

export interface HistoryEntry {
  readonly created?: Date;
  readonly createdBy: string;
  readonly author: string;
  readonly comment: string;
  /** The step made no layer. */
  readonly emptyLayer: boolean;
}

/**
 * As Docker reads it: names of fields in any case, and what is not said is left open but for the system, which is Linux.
 *
 * @returns `architecture` is empty where none is said
 * @throws {Fault} `invalid-argument`
 */
export function parseImageConfig(data: Uint8Array): ImageConfig {
  const what = "image configuration";
  const document = parseForeignJson(data, { what, maxBytes: maxConfigBytes });
  const reader = new DocumentReader(document, what, { foldsNames: true });
  const rootfs = reader.requiredObject("rootfs");
  if ((rootfs.string("type") || "layers") !== "layers") throw rootfs.fail('"type" is not "layers"');
  const diffIds = rootfs.strings("diff_ids");
  if (diffIds === undefined) throw rootfs.fail('"diff_ids" is missing');
  const created = readDate(reader, "created");
  return {
    os: reader.string("os") || "linux",
    architecture: reader.string("architecture") ?? "",
    ...present("variant", reader.string("variant")),
    ...present("osVersion", reader.string("os.version")),
    ...(created && { created }),
    ...present("author", reader.string("author")),
    ...present("comment", reader.string("comment")),
    ...present("dockerVersion", reader.string("docker_version")),
    execution: readExecution(reader.object("config")),
    diffIds: diffIds.map(parseDigest),
    history: (reader.objects("history") ?? []).map(readHistory),
    ...present("inlineCache", reader.string("moby.buildkit.cache.v0")),
  };
}

function readExecution(reader: DocumentReader | undefined): ExecutionConfig {
  const healthcheck = reader?.object("Healthcheck");
  return {
    user: reader?.string("User") ?? "",
    exposedPorts: reader?.keys("ExposedPorts") ?? [],
    env: reader?.strings("Env") ?? [],
    ...present("entrypoint", reader?.words("Entrypoint")),
    ...present("cmd", reader?.words("Cmd")),
    volumes: reader?.keys("Volumes") ?? [],
    workingDir: reader?.string("WorkingDir") ?? "",
    labels: reader?.stringMap("Labels") ?? {},
    stopSignal: reader?.string("StopSignal") ?? "",
    ...(healthcheck && {
      healthcheck: {
        test: healthcheck.strings("Test") ?? [],
        intervalNs: healthcheck.integer("Interval") ?? 0,
        timeoutNs: healthcheck.integer("Timeout") ?? 0,
        startPeriodNs: healthcheck.integer("StartPeriod") ?? 0,
        startIntervalNs: healthcheck.integer("StartInterval") ?? 0,
        retries: healthcheck.integer("Retries") ?? 0,
      },
    }),
    ...present("shell", reader?.words("Shell")),
    ...present("onBuild", reader?.strings("OnBuild")),
    ...(reader?.boolean("ArgsEscaped") === true && { argsEscaped: true }),
  };
}

function readHistory(reader: DocumentReader): HistoryEntry {
  const created = readDate(reader, "created");
  return {
    ...(created && { created }),
    createdBy: reader.string("created_by") ?? "",
    author: reader.string("author") ?? "",
    comment: reader.string("comment") ?? "",
    emptyLayer: reader.boolean("empty_layer") ?? false,
  };
}

function readDate(reader: DocumentReader, key: string): Date | undefined {
  const text = reader.string(key);
  if (text === undefined || text === "") return undefined;
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) throw reader.fail(`"${key}" is not a date`);
  return date;
}

function present<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined || value === "" ? {} : ({ [key]: value } as { readonly [P in K]: V });
}

/** The bytes of a configuration: Docker's order of fields, empty ones left out, the same for the same input. */
export function formatImageConfig(config: ImageConfig): Buffer {
  const { execution } = config;
  return Buffer.from(
    JSON.stringify({
      architecture: config.architecture,
      author: config.author,
      comment: config.comment,
      config: {
        User: filled(execution.user),
        ExposedPorts: goSet(execution.exposedPorts),
        Env: filled(execution.env),
        Entrypoint: execution.entrypoint,
        Cmd: execution.cmd,
        Healthcheck: execution.healthcheck && formatHealthcheck(execution.healthcheck),
        ArgsEscaped: execution.argsEscaped,
        Volumes: goSet(execution.volumes),
        WorkingDir: filled(execution.workingDir),
        Labels: goMap(execution.labels),
        StopSignal: filled(execution.stopSignal),
        Shell: execution.shell,
        OnBuild: execution.onBuild,
      },
      created: config.created?.toISOString(),
      docker_version: config.dockerVersion,
      history: config.history.map((entry) => ({
        created: entry.created?.toISOString(),
        created_by: filled(entry.createdBy),
        author: filled(entry.author),
        comment: filled(entry.comment),
        empty_layer: entry.emptyLayer ? true : undefined,
      })),
      "moby.buildkit.cache.v0": config.inlineCache,
      os: config.os,
      "os.version": config.osVersion,
      rootfs: { type: "layers", diff_ids: config.diffIds },
      variant: config.variant,
    }),
  );
}

function formatHealthcheck(check: ImageHealthcheck) {
  return {
    Test: check.test,
    Interval: check.intervalNs || undefined,
    Timeout: check.timeoutNs || undefined,
    StartPeriod: check.startPeriodNs || undefined,
    StartInterval: check.startIntervalNs || undefined,
    Retries: check.retries || undefined,
  };
}

function filled<T extends string | readonly string[]>(value: T): T | undefined {
  return value.length === 0 ? undefined : value;
}

/** Go writes the keys of maps in their order. */
function goMap<V>(map: Readonly<Record<string, V>>): Readonly<Record<string, V>> | undefined {
  const entries = Object.entries(map);
  return entries.length === 0
    ? undefined
    : Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function goSet(keys: readonly string[]): Readonly<Record<string, object>> | undefined {
  return goMap(Object.fromEntries(keys.map((key) => [key, {}])));
}
