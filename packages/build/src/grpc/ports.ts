import type { Writable } from "node:stream";
import type { TarEntryType } from "@hawser/base";
import type { Platform } from "@hawser/oci";
import type { ExecMount } from "../plan/vertex.ts";
import type { AttestationRequests } from "./attestations.ts";
import type { ClientSession } from "./client-session.ts";
import type { DockerfileOptions } from "./frontend-options.ts";
import type { Definition } from "./generated/llb_pb.ts";
import type { BuildProgress } from "./progress.ts";
import type { CheckedSource } from "./subrequests.ts";

/** Who does the builds that clients of BuildKit's protocol ask for. */
export interface Builder {
  readonly about: BuilderTraits;
  /** Begin a build. What it uses is kept until it is disposed of. */
  open(context: BuildContextOfClient): Promise<BuildWork>;
  /** Results that are kept. */
  usage(): Promise<readonly KeptResult[]>;
  /** Remove kept results that nothing needs. @returns what went */
  /** @param room of what stays, in bytes; 0 is no bound */
  prune(
    wanted: (result: KeptResult) => boolean,
    room: { readonly reservedBytes: number; readonly maxUsedBytes: number; readonly minFreeBytes: number },
  ): Promise<readonly KeptResult[]>;
}

export interface BuilderTraits {
  /** Of this builder, as long as its state lasts. */
  readonly id: string;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly platforms: readonly Platform[];
}

export interface BuildContextOfClient {
  /** Absent: the client serves nothing. */
  readonly session: ClientSession | undefined;
  /** The files, where the client has sent them with its request. */
  readonly archive?: AsyncIterable<Uint8Array>;
  /** `network.host`, `security.insecure`: what the client lets the source do. */
  readonly entitlements: readonly string[];
  readonly progress: BuildProgress;
  /** Where there may be results that other builders have made. */
  readonly cacheImports: readonly CachePlaceRequest[];
  readonly signal: AbortSignal;
}

/** A place of kept results: where they are had from, or brought to. */
export interface CachePlaceRequest {
  /** `registry`, `local`, `inline`. */
  readonly type: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** One build. */
export interface BuildWork extends AsyncDisposable {
  /**
   * Plan an image; nothing of it is executed yet.
   *
   * @param inputs results of other builds, by the names that `options.contexts` has for them (`input:name`)
   * @throws {Fault} with a place in the source where it has one
   */
  planDockerfile(
    options: DockerfileOptions,
    inputs: ReadonlyMap<string, PlannedResult>,
  ): Promise<PlannedResult>;
  /**
   * Plan a graph that a client or a front end has made; nothing of it is executed yet.
   *
   * @param resultOf results that the graph begins with, by what clients call them; throws `not-found`
   * @throws {Fault} `invalid-argument` for what is none, `permission-denied`, `not-implemented`
   */
  planDefinition(definition: Definition, resultOf: (id: string) => PlannedResult): Promise<PlannedResult>;
  /** A Dockerfile's text, for questions about it. @throws {Fault} `invalid-argument` */
  readDockerfile(options: DockerfileOptions): Promise<CheckedSource>;
  /**
   * Refuse what `export` would. @param isSeveral there are several results; absent: nobody knows yet
   *
   * @throws {Fault} `not-implemented`, `invalid-argument`
   */
  checkExporter(exporter: ExporterRequest, isSeveral?: boolean): void;
  /** How a result was made, as SLSA's predicate. @param platform of one of several */
  provenance(
    result: PlannedResult,
    platform: Platform | undefined,
  ): { readonly predicateType: string; readonly predicate: object };
  /** Execute all that a result needs. */
  evaluate(result: PlannedResult): Promise<void>;
  /**
   * Execute, and bring the result to where the client wants it.
   *
   * @param exporter.config what the front end says of an image, OCI's JSON; absent: the result's own
   * @returns what is told of it, by BuildKit's names
   */
  export(
    result: PlannedResult | undefined,
    exporter: ExporterRequest,
  ): Promise<Readonly<Record<string, string>>>;
  /** As `export`, for a result of each platform, by the platforms' names. The exporter's `config` is theirs. */
  exportPlatforms(
    results: ReadonlyMap<string, PlatformResult>,
    exporter: ExporterRequest,
  ): Promise<Readonly<Record<string, string>>>;
  /**
   * Bring out what the build has kept and has found. @param results what it has made
   *
   * @returns what is told of it, by BuildKit's names
   */
  exportCache(
    results: readonly PlannedResult[],
    place: CachePlaceRequest,
  ): Promise<Readonly<Record<string, string>>>;
  /** A file of a result, executed if it is not. @throws {Fault} `not-found` */
  readFile(
    result: PlannedResult,
    file: { readonly path: string; readonly offset: number; readonly maxBytes: number },
  ): Promise<Uint8Array>;
  /** What a path of a result leads to, links followed; `isInside`: what is in that folder. @throws {Fault} `not-found` */
  lookAtFiles(
    result: PlannedResult,
    at: { readonly path: string; readonly isInside: boolean },
  ): Promise<readonly ResultFile[]>;
  /** An image, pulled where it is not here. @throws {Fault} `not-found`, as a pull */
  planImage(
    reference: string,
    options: { readonly platform?: Platform; readonly pull: boolean },
  ): Promise<NamedResult>;
  /**
   * A container for processes of a front end's. It ends with the build, if nobody disposes of it before.
   *
   * @throws {Fault} `permission-denied`; what its mounts need
   */
  openContainer(request: ContainerRequest): Promise<BuildContainer>;
}

/** An image as a result. */
export interface NamedResult {
  readonly result: PlannedResult;
  /** Of its manifest or index; absent: it did not come from a registry. */
  readonly digest?: string;
  /** Its configuration, the OCI image specification's JSON. */
  readonly config: Uint8Array;
}

/** A file of a result without its content. */
export interface ResultFile {
  readonly name: string;
  readonly type: TarEntryType;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly linkPath: string;
}

export interface ContainerRequest {
  /** What binds name by their numbers, the root first; `undefined`: an empty file system. */
  readonly inputs: readonly (PlannedResult | undefined)[];
  readonly mounts: readonly ExecMount[];
  readonly readOnlyRoot: boolean;
  readonly network: "default" | "none" | "host";
  /** `name:address`. */
  readonly hosts: readonly string[];
  /** Empty: the builder's own. */
  readonly hostname: string;
}

/** A container of a front end's. Disposal ends its processes. */
export interface BuildContainer extends AsyncDisposable {
  /** Start a process; the container ends with the first one. @throws {Fault} when it does not begin, `conflict` after the end */
  run(process: ProcessRequest): Promise<BuildProcess>;
}

export interface ProcessRequest {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly secretEnv: readonly {
    readonly id: string;
    readonly name: string;
    readonly isRequired: boolean;
  }[];
  readonly workingDir: string;
  readonly user: string;
  readonly tty: boolean;
  readonly privileged: boolean;
}

export interface BuildProcess {
  /** Its standard input. */
  readonly input: Writable;
  /** What it prints; of one with a terminal all is `stdout`. Read by one reader. */
  readonly output: AsyncGenerator<
    { readonly stream: "stdout" | "stderr"; readonly bytes: Uint8Array },
    void,
    undefined
  >;
  /** Its exit code. */
  readonly exited: Promise<number>;
  resize(size: { readonly height: number; readonly width: number }): Promise<void>;
  kill(signal: number): Promise<void>;
}

/** What a front end makes of a source. */
export interface PlannedResult {
  /**
   * An image's configuration, the OCI image specification's JSON, as far as it is known before execution; a graph of a client's
   * has none.
   */
  readonly config: Uint8Array | undefined;
  /** Absent: it was not made of a graph of a client's. */
  readonly definition?: Definition;
}

/** One of several results of a build. */
export interface PlatformResult {
  readonly result: PlannedResult;
  readonly platform: Platform;
  /** As an exporter's. */
  readonly config: Uint8Array | undefined;
}

export interface ExporterRequest {
  /** Its place in the request: a client that takes files tells them apart by it. */
  readonly id: number;
  /** `moby`, `image`, `docker`, `oci`, `local`, `tar`. */
  readonly type: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly config?: Uint8Array | undefined;
  /** An image says what its layers were made of. */
  readonly hasInlineCache?: boolean;
  /** What goes with the result. */
  readonly attestations?: AttestationRequests;
}

export interface KeptResult {
  readonly id: string;
  readonly sizeBytes: number;
  readonly createdAtMs: number;
  readonly lastUsedAtMs: number;
  readonly usageCount: number;
  readonly description: string;
  readonly type: string;
  readonly isShared: boolean;
  readonly isInUse: boolean;
  readonly parents: readonly string[];
}
