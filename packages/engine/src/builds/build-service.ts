import { createHash } from "node:crypto";
import { mkdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { compileIgnorePatterns, type Logger, parseIgnoreFile, shownUrl, writeTar } from "@hawser/base";
import {
  type PlanRequest,
  parseGitReference,
  Solver,
  type Step,
  type Vertex,
  type VertexEvent,
} from "@hawser/build";
import type { Platform } from "@hawser/oci";
import type { RegistryAccess } from "@hawser/registry/client";
import type { ContainerConfig, HostConfig } from "@hawser/runtime";
import { diskFault, type Image, type ImageMaker, openArchive, readFiles, type Store } from "@hawser/store";
import type { Collaborators } from "../containers/collaborators.ts";
import { createContainerId } from "../containers/names.ts";
import { removeContainer } from "../containers/remove.ts";
import type { PullEvent } from "../images/pull-image.ts";
import { BuildContext } from "./build-context.ts";
import type { BuildSources } from "./build-sources.ts";
import type { BuildState } from "./build-state.ts";
import { ImportedResults, type ResultSource } from "./cache/imported-results.ts";
import { registrySource } from "./cache/open-sources.ts";
import { CacheMounts } from "./cache-mounts.ts";
import { checkSyntax, instructionOf, showSource } from "./classic-source.ts";
import { download } from "./download.ts";
import { buildFaults } from "./faults.ts";
import { GitRepositories } from "./git-repositories.ts";
import { ImageBuild, type ImageBuildOptions, type ImageBuildParts } from "./image-build.ts";
import { KeptContexts } from "./kept-contexts.ts";
import { type KeptRecord, listKept } from "./kept-records.ts";
import { forgetNetFiles } from "./net-file.ts";
import { buildMark } from "./run-process.ts";
import { isBounded, noRoom, type PruneCandidate, type PruneRoom, selectPruned } from "./select-pruned.ts";

export interface BuildRequest {
  /** The user's files, plain or compressed, or where they are. */
  readonly context: AsyncIterable<Uint8Array> | string;
  /** In the context. */
  readonly dockerfile: string;
  readonly target?: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly names: readonly string[];
  readonly network: PlanRequest["network"];
  readonly platform?: Platform;
  readonly noCache: boolean;
  /** Images whose own results, or places of a registry whose kept ones, the build may use. */
  readonly cacheFrom: readonly string[];
  readonly pull: boolean;
  /** Of the processes of `RUN`. */
  readonly limits: Partial<HostConfig>;
  /** What images are asked for with. @param domain of the registry */
  readonly access: (domain: string) => Promise<RegistryAccess>;
  readonly signal: AbortSignal;
  readonly onEvent: (event: BuildEvent) => void;
}

export type BuildEvent =
  | { readonly kind: "planned"; readonly steps: readonly Step[] }
  /** An image that it begins with comes. */
  | { readonly kind: "pull"; readonly event: PullEvent }
  /** An instruction of which nothing comes, the first after `FROM` being the second of `of`. */
  | { readonly kind: "refused"; readonly at: number; readonly of: number; readonly text: string }
  | { readonly kind: "container"; readonly vertex: Vertex; readonly id: string }
  | VertexEvent;

export interface BuildServiceParts {
  readonly collaborators: Collaborators;
  readonly store: Pick<Store, "images" | "maker" | "buildCache">;
  readonly registry: ImageBuildParts["registry"];
  readonly web: ImageBuildParts["web"];
  readonly defaults: { readonly config: ContainerConfig; readonly hostConfig: HostConfig };
  readonly folder: string;
  /** Size up to which results are kept; absent: they are removed by users only. */
  readonly cacheLimitBytes?: number | undefined;
  readonly log: Logger;
}

export const maxDockerfileBytes = 16 << 20;

/** Builds images of Dockerfiles. */
export class BuildService {
  readonly #parts: ImageBuildParts;
  readonly #maker: ImageMaker;
  readonly #cacheLimitBytes: number | undefined;
  /** Folders of the users', for builds that get them in parts. */
  readonly contexts: KeptContexts;
  readonly #repositories: GitRepositories;
  /** Once after builds that end together: a client's may be several. */
  #isToTidyUp = false;

  private constructor(
    parts: ImageBuildParts,
    { cacheLimitBytes, store }: Pick<BuildServiceParts, "cacheLimitBytes" | "store">,
  ) {
    this.#parts = parts;
    this.#maker = store.maker;
    this.#cacheLimitBytes = cacheLimitBytes;
    const randomName = () => createContainerId(parts.collaborators.host.randomBytes);
    this.contexts = new KeptContexts({ folder: join(parts.folder, "kept"), randomName });
    this.#repositories = new GitRepositories({ folder: join(parts.folder, "git") });
  }

  /** Open the service as a crash may have left it: what belonged to a build that is no more is removed. */
  static async open({ collaborators, store, folder, ...parts }: BuildServiceParts): Promise<BuildService> {
    await rm(join(folder, "run"), { recursive: true, force: true });
    await rm(join(folder, "context"), { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const container of collaborators.index.list()) {
      if (buildMark in container.record.hostConfig.annotations) {
        await removeContainer(collaborators, container, { force: true });
      }
    }
    const { images, buildCache: cache } = store;
    const build = {
      ...parts,
      collaborators,
      folder,
      images,
      cache,
      solver: new Solver<BuildState>(),
      cacheMounts: new CacheMounts({
        folder: join(folder, "cache"),
        temporary: () => join(folder, "run", createContainerId(collaborators.host.randomBytes)),
      }),
    };
    const service = new BuildService(build, { ...parts, store });
    await service.contexts.reset();
    return service;
  }

  /** What processes of builds keep for the next ones. */
  get cacheMounts(): CacheMounts {
    return this.#parts.cacheMounts;
  }

  /** Results of steps that are kept, newest use first. */
  kept(): readonly KeptRecord[] {
    const { cache, images } = this.#parts;
    return listKept(cache, images);
  }

  /** Begin a build of an image. */
  begin(options: ImageBuildOptions): ImageBuild {
    const build = new ImageBuild(this.#parts, options);
    build.onDisposal(() => {
      if (this.#isToTidyUp) return;
      this.#isToTidyUp = true;
      setImmediate(() => {
        this.#isToTidyUp = false;
        this.#tidyUp().catch((error: unknown) =>
          this.#parts.log.warn("cannot tidy up after a build", { error }),
        );
      });
    });
    return build;
  }

  /** Results of other builders, for a build to use. @param options.warn a place is left out */
  openImports(
    sources: readonly ResultSource[],
    options: { readonly signal: AbortSignal; readonly warn?: (name: string, error: unknown) => void },
  ): ImportedResults {
    const { images, cache, log, collaborators } = this.#parts;
    return new ImportedResults(sources, {
      reach: collaborators.reach,
      images,
      cache,
      signal: options.signal,
      warn(name, error) {
        log.info("build cache of another builder left out", { name, error });
        options.warn?.(name, error);
      },
    });
  }

  /** Take a folder of the user's in, as an archive. @throws {Fault} as `BuildContext.open` */
  async receiveFolder(
    archive: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
    source: { readonly committedAtMs?: number } = {},
  ): Promise<BuildContext> {
    const { collaborators, folder } = this.#parts;
    const path = join(folder, "context", createContainerId(collaborators.host.randomBytes));
    return await BuildContext.open(archive, { folder: path, signal, ...source });
  }

  /** Take the files of a repository in. @throws {Fault} as `GitRepositories.checkout` */
  async receiveRepository(
    text: string,
    {
      keepsGitDir,
      signal,
      sources,
    }: {
      readonly keepsGitDir: boolean;
      readonly signal: AbortSignal;
      readonly sources?: BuildSources | undefined;
    },
  ): Promise<BuildContext> {
    const pin = sources?.repositoryPin(text);
    const reference = parseGitReference(text);
    if (reference === undefined) throw buildFaults.REMOTE_UNSUPPORTED(text);
    if (reference.unknownQuery !== undefined) throw buildFaults.QUERY_UNKNOWN(reference.unknownQuery);
    const { collaborators, folder } = this.#parts;
    const path = join(folder, "context", createContainerId(collaborators.host.randomBytes));
    try {
      const wanted = pin === undefined ? reference : { ...reference, ref: pin };
      const { commit, committedAtMs } = await this.#repositories.checkout(wanted, {
        into: path,
        keepsGitDir,
        signal,
      });
      const { checksum = "" } = reference;
      if (!commit.startsWith(checksum)) throw buildFaults.COMMIT_OTHER(checksum, commit);
      sources?.useRepository(text, commit);
      const root = { kind: "folder", path } as const;
      if (reference.folder === undefined) {
        const archive = readFiles(root, { kind: "export" }, { signal });
        return await this.receiveFolder(archive, signal, { committedAtMs });
      }
      await using part = await openArchive(root, `/${reference.folder}/.`, { signal });
      return await this.receiveFolder(part.archive, signal, { committedAtMs });
    } catch (error) {
      throw diskFault(error, folder);
    } finally {
      await rm(path, { recursive: true, force: true });
    }
  }

  /**
   * Take in what is at an address: a repository, an archive, or a Dockerfile alone, which is called `Dockerfile` then.
   *
   * @throws {Fault} `unavailable`; as `receiveFolder`
   */
  async receiveRemote(
    address: string,
    options: {
      /** A repository with its history. */
      readonly keepsGitDir: boolean;
      readonly signal: AbortSignal;
      readonly sources?: BuildSources | undefined;
    },
  ): Promise<BuildContext> {
    const { signal, sources } = options;
    if (parseGitReference(address) !== undefined) return await this.receiveRepository(address, options);
    if (!/^https?:\/\//i.test(address)) throw buildFaults.REMOTE_UNSUPPORTED(address);
    const pin = sources?.filePin(address);
    const bytes = await download(this.#parts.web, address, { signal });
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    if (pin !== undefined && pin !== digest) {
      throw buildFaults.SOURCE_DRIFTED("file", shownUrl(address), { wanted: pin, found: digest });
    }
    sources?.useFile(address, digest);
    const isText = !bytes.subarray(0, 8 << 10).includes(0);
    const archive = isText
      ? writeTar([{ path: "Dockerfile", type: "file", content: bytes }])
      : Readable.from([bytes]);
    return await this.receiveFolder(archive, signal);
  }

  /**
   * Build an image of an archive that has its Dockerfile. What fails in the Dockerfile shows its lines.
   *
   * @throws {Fault} what the Dockerfile, its images and its processes make of it
   */
  async build(request: BuildRequest): Promise<Image> {
    const { signal, onEvent } = request;
    await using used = new AsyncDisposableStack();
    const context = await this.#receive(request, used);
    const source = await context.readText(request.dockerfile, { maxBytes: maxDockerfileBytes, signal });
    if (source === undefined) throw buildFaults.DOCKERFILE_MISSING(request.dockerfile);
    checkSyntax(source, request.dockerfile);
    if (typeof request.context !== "string") await forgetIgnored(context, request);
    const { images, registry } = this.#parts;
    const sources = request.cacheFrom.map((name) => registrySource(name, { ...request, images, registry }));
    using imported = this.openImports(sources, { signal });
    using build = this.begin({
      ...request,
      becomesImage: () => true,
      findsShortIds: true,
      imported,
      files: {
        folder: async () => context,
        repository: async (text, options) =>
          used.use(await this.receiveRepository(text, { ...options, signal })),
        secret: async () => undefined,
        agent: async () => undefined,
      },
      onContainer: (vertex, id) => onEvent({ kind: "container", vertex, id }),
      showing: async (_name, look) => await look((event) => onEvent({ kind: "pull", event })),
    });
    try {
      const { committedAtMs } = context;
      const planned = await build
        .plan({ ...request, source, contexts: {}, entitlements: [], committedAtMs, isClassic: true })
        .catch((error: unknown) => {
          const refused = instructionOf(error, source);
          if (refused !== undefined) onEvent({ kind: "refused", ...refused });
          throw error;
        });
      onEvent({ kind: "planned", steps: planned.plan.steps });
      const { config, state } = await build.execute(planned, () => request.noCache);
      const { diffIds } = await build.seal(state);
      return await this.#maker.create({ ...config, diffIds }, { references: request.names });
    } catch (error) {
      throw showSource(error, { source, name: request.dockerfile });
    }
  }

  /**
   * Remove kept results, and files that builds keep, but for those that a build uses: the longest unused first.
   *
   * @param wanted which of them may go
   * @param room what may stay; default: nothing. With a bound, only results go: they alone have a size.
   * @returns the results that went, and the bytes that this gave back
   */
  async prune(
    wanted: (candidate: PruneCandidate) => boolean,
    room: PruneRoom = noRoom,
  ): Promise<{ readonly keys: readonly string[]; readonly reclaimedBytes: number }> {
    const { cache, images, folder, collaborators } = this.#parts;
    const { bavail, bsize } = await statfs(folder);
    const records = selectPruned(this.kept(), { wanted, room, freeBytes: bavail * bsize });
    const reclaimedBytes = records.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    cache.remove(records.map(({ key }) => key));
    await images.layers.collect();
    const files = {
      "source.local": () => this.contexts.clear(),
      "source.git.checkout": () => this.#repositories.clear(),
      "source.http": () => forgetNetFiles(join(folder, "http")),
      "exec.cachemount": () => this.cacheMounts.clear(),
    };
    const lastUsedMs = collaborators.host.now();
    for (const [type, clear] of Object.entries(files)) {
      const mayGo = wanted({ id: "", description: "", type, isShared: false, isInUse: false, lastUsedMs });
      if (mayGo && !isBounded(room)) await clear();
    }
    const attributes = { reclaimed: String(reclaimedBytes) };
    collaborators.events.publish({ type: "builder", action: "prune", actor: { id: "", attributes } });
    return { keys: records.map(({ key }) => key), reclaimedBytes };
  }

  async #receive({ context, signal }: BuildRequest, used: AsyncDisposableStack): Promise<BuildContext> {
    if (typeof context === "string")
      return used.use(await this.receiveRemote(context, { keepsGitDir: false, signal }));
    return used.use(await this.receiveFolder(context, signal));
  }

  /** What nothing refers to any more goes, and what is kept comes to the disk. */
  async #tidyUp(): Promise<void> {
    const { layers } = this.#parts.images;
    if (this.#cacheLimitBytes !== undefined) this.#shrinkCache(this.#cacheLimitBytes);
    await layers.collect();
    layers.sync();
  }

  /** Forget the results that were not used for the longest time, until the others are within the limit. */
  #shrinkCache(limitBytes: number): void {
    const { cache, log } = this.#parts;
    const tooMuch = selectPruned(this.kept(), {
      wanted: ({ isShared }) => !isShared,
      room: { ...noRoom, maxUsedBytes: limitBytes },
      freeBytes: 0,
    });
    if (tooMuch.length === 0) return;
    cache.remove(tooMuch.map(({ key }) => key));
    log.info("build cache made smaller", { records: tooMuch.length, limitBytes });
  }
}

/** Clients of the classic API send the Dockerfile and `.dockerignore` also where those leave themselves out. */
async function forgetIgnored(context: BuildContext, { dockerfile, signal }: BuildRequest): Promise<void> {
  const text = await context.readText(".dockerignore", { maxBytes: maxDockerfileBytes, signal });
  if (text === undefined) return;
  try {
    const patterns = compileIgnorePatterns(parseIgnoreFile(text));
    await context.forget([dockerfile, ".dockerignore"].filter((path) => patterns.ignores(path)));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // the client has left out what it could
  }
}
