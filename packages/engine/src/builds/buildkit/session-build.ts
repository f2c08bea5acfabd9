import { arch, platform } from "node:process";
import { parseIgnoreFile, writeTar } from "@hawser/base";
import type { Vertex } from "@hawser/build";
import {
  type BuildContainer,
  type BuildContextOfClient,
  type BuildWork,
  type CheckedSource,
  type ContainerRequest,
  type Definition,
  type DockerfileOptions,
  type ExporterRequest,
  type FaultySource,
  grpcError,
  listFolder,
  type NamedResult,
  type PlannedResult,
  type PlatformResult,
  type ResultFile,
  SessionContent,
  shownSteps,
} from "@hawser/build/grpc";
import { formatImageConfig, type Platform, platformOfNode } from "@hawser/oci";
import type { RegistryAccess } from "@hawser/registry/client";
import type { FilesRoot } from "@hawser/store";
import type { BuildContext } from "../build-context.ts";
import { type BuildService, maxDockerfileBytes } from "../build-service.ts";
import type { BuildState } from "../build-state.ts";
import { buildFaults } from "../faults.ts";
import type {
  BuiltImage,
  DockerfileRequest,
  ImageBuild,
  ImageBuildOptions,
  PlannedImage,
} from "../image-build.ts";
import { plannedConfig } from "../image-config.ts";
import { type LocalFolder, listLocalFolder } from "../local-folder.ts";
import type { BuildFiles } from "../op-runner.ts";
import { type BuiltPlatform, exportPlatforms } from "./export-platforms.ts";
import { type ExportPorts, exportResult } from "./export-result.ts";
import type { GivenFiles, GivenFolder } from "./given-files.ts";
import { configOfFrontEnd, GraphBuilder, type GraphBuilderOptions } from "./graph-builder.ts";
import { lintSource } from "./lint-source.ts";
import { lookAtFiles, readFilePart, rootOfState } from "./result-files.ts";
import { ignoring, receiveTexts, sessionAccess } from "./session-answers.ts";
import { ignoredVertices, inBuildkitsWords, titleOf } from "./step-traits.ts";

/** How the results that clients have been told of are executed, each once. */
export type PlannedResults = WeakMap<PlannedResult, () => Promise<BuiltImage>>;

type FolderPart = Parameters<BuildFiles["folder"]>[0];

/** A build whose files, secrets and logins a client serves while it goes on. */
export class SessionBuild implements BuildWork {
  readonly #builds: BuildService;
  readonly #ports: ExportPorts;
  readonly #context: BuildContextOfClient;
  readonly #folders = new Map<string, Promise<BuildContext>>();
  readonly #ignored = new Map<string, readonly string[]>();
  readonly #given: GivenFiles | undefined;
  readonly #results: PlannedResults;
  readonly #used = new AsyncDisposableStack();
  /** Of graphs and containers that the client or a front end wants. */
  #opened: { readonly build: ImageBuild; readonly graphs: GraphBuilder } | undefined;
  readonly #sources = new Map<string, Promise<FaultySource & { readonly digest: string }>>();
  /** Kept results are not used, or not all of them. */
  #isUncached = false;
  /** Digests of vertices that this build has executed already, and of sources that were told what is wrong with them. */
  readonly #made = new Set<string>();
  /** All folders are one, which did not come through the session. */
  #isWhole: boolean;

  constructor(
    builds: BuildService,
    {
      ports,
      context,
      results,
      given,
    }: {
      readonly ports: ExportPorts;
      readonly context: BuildContextOfClient;
      /** Of all builds: one may be the base of another. */
      readonly results: PlannedResults;
      readonly given?: GivenFiles;
    },
  ) {
    this.#given = given;
    this.#results = results;
    this.#builds = builds;
    this.#ports = ports;
    this.#context = context;
    this.#isWhole = context.archive !== undefined;
  }

  async planDockerfile(
    options: DockerfileOptions,
    inputs: ReadonlyMap<string, PlannedResult>,
  ): Promise<PlannedResult> {
    const { progress } = this.#context;
    if (options.contextUrl !== undefined) this.#beginRemote(options.contextUrl);
    const { digest, ...source } = await this.#readSource(options);
    const build = this.#beginDockerfile(options, inputs);
    // Of several platforms one is enough to tell.
    const isFirst = !this.#made.has(digest);
    this.#made.add(digest);
    let planned: PlannedImage;
    try {
      planned = await build.plan(await this.#requestFor(options, source.text));
    } catch (error) {
      if (isFirst) lintSource(source, { digest, findings: [], progress });
      throw grpcError(error, source);
    }
    if (isFirst) lintSource(source, { digest, findings: planned.plan.findings, progress });
    try {
      progress.announce(
        shownSteps(planned.plan, { platform: options.isOneOfSeveral ? options.platform : undefined }),
      );
      const config = formatImageConfig(plannedConfig(planned));
      const isIgnored = ignoredVertices(planned, options);
      const ignores = (vertex: Vertex) => isIgnored(vertex) && !this.#made.has(vertex.digest);
      this.#isUncached ||= options.noCache === "all" || options.noCache.length > 0;
      return this.#remember({ config }, () => build.execute(planned, ignores), source);
    } catch (error) {
      throw grpcError(error, source);
    }
  }

  /** Begin the build that a Dockerfile asks for. */
  #beginDockerfile(options: DockerfileOptions, inputs: ReadonlyMap<string, PlannedResult>): ImageBuild {
    const { extraHosts, ulimits, cgroupParent, shmSizeBytes } = options;
    return this.#begin({
      folder: ({ name }) => this.#folder({ name: name === "context" ? options.contextName : name }),
      limits: {
        ...this.#given?.limits,
        ...(extraHosts.length > 0 && { extraHosts }),
        ...(ulimits.length > 0 && { ulimits }),
        ...(cgroupParent !== "" && { cgroupParent }),
        ...(shmSizeBytes !== undefined && { shmSizeBytes }),
      },
      pull: options.pull,
      input: async (name) => {
        const input = inputs.get(name);
        if (input === undefined) throw buildFaults.INPUT_MISSING(name);
        return await this.#build(input);
      },
    });
  }

  async #requestFor(options: DockerfileOptions, source: string): Promise<DockerfileRequest> {
    const { entitlements } = this.#context;
    const { target, buildArgs, labels, network, contexts, platform } = options;
    const whole = this.#isWhole ? await this.#folder({ name: "" }) : undefined;
    return {
      source,
      buildArgs,
      labels,
      network,
      contexts,
      platform,
      entitlements,
      committedAtMs: this.#given?.committedAtMs ?? whole?.committedAtMs,
      isIgnored: ignoring(this.#given?.folders["context"]?.ignore ?? this.#ignored.get(options.contextName)),
      ...(target !== undefined && { target }),
    };
  }

  async planDefinition(
    definition: Definition,
    resultOf: (id: string) => PlannedResult,
  ): Promise<PlannedResult> {
    const planned = await this.#graphs.graphs.plan(definition, (id) => this.#build(resultOf(id)));
    return this.#remember({ config: undefined, definition }, () => planned.execute());
  }

  get #graphs() {
    this.#opened ??= this.#openGraphs();
    return this.#opened;
  }

  #openGraphs() {
    const { entitlements, signal, progress } = this.#context;
    const build = this.#begin({
      folder: (part) => this.#folder(part),
      limits: { ...this.#given?.limits },
      pull: false,
      solveDefinition: async (bytes, { depth }) => await graphs.solve(bytes, depth),
    });
    const { images } = this.#ports;
    const announce: GraphBuilderOptions["announce"] = (steps) => progress.announce(steps);
    const graphs = new GraphBuilder(build, { images, entitlements, signal, announce });
    return { build, graphs };
  }

  /** Begin a build with what the client serves. */
  #begin({
    folder,
    ...options
  }: Pick<ImageBuildOptions, "limits" | "pull" | "input" | "solveDefinition"> &
    Pick<BuildFiles, "folder">): ImageBuild {
    const { progress, signal, session } = this.#context;
    const sources = this.#given?.sources;
    return this.#used.use(
      this.#builds.begin({
        ...options,
        ...(sources && { sources }),
        files: {
          folder,
          repository: async (reference, { keepsGitDir }) =>
            this.#used.use(await this.#builds.receiveRepository(reference, { keepsGitDir, signal, sources })),
          secret: async (id) => await session?.secret(id, signal),
          agent: async (id) => await session?.agent(id, signal),
        },
        layout: (store) => (session === undefined ? undefined : new SessionContent(session, `oci:${store}`)),
        access: (domain) => this.#access(domain),
        signal,
        onEvent: (event) => {
          if (event.kind === "completed") this.#made.add(event.vertex.digest);
          progress.take(event.kind === "failed" ? { ...event, error: inBuildkitsWords(event.error) } : event);
        },
        onContainer: () => {},
      }),
    );
  }

  /** A result that is executed when it is first needed. @param source that what fails may point into */
  #remember(result: PlannedResult, execute: () => Promise<BuiltImage>, source?: FaultySource): PlannedResult {
    let built: Promise<BuiltImage> | undefined;
    this.#results.set(result, async () => {
      built ??= execute();
      try {
        return await built;
      } catch (error) {
        throw grpcError(inBuildkitsWords(error), source);
      }
    });
    return result;
  }

  async readDockerfile(options: DockerfileOptions): Promise<CheckedSource> {
    if (options.contextUrl !== undefined) this.#beginRemote(options.contextUrl);
    const { filename, text } = await this.#readSource(options);
    return {
      filename,
      text,
      findings: async () => {
        const build = this.#beginDockerfile(options, new Map());
        const request = await this.#requestFor(options, text);
        return (await build.plan(request, { configsOnly: true })).plan.findings;
      },
    };
  }

  async evaluate(result: PlannedResult): Promise<void> {
    await this.#build(result);
  }

  async export(
    result: PlannedResult | undefined,
    exporter: ExporterRequest,
  ): Promise<Readonly<Record<string, string>>> {
    if (result === undefined) throw buildFaults.RESULT_EMPTY();
    const built = this.#asSaid(await this.#build(result), result, exporter);
    return await exportResult(built, exporter, {
      ...this.#ports,
      ...this.#context,
      access: (domain) => this.#access(domain),
    });
  }

  async exportPlatforms(
    results: ReadonlyMap<string, PlatformResult>,
    exporter: ExporterRequest,
  ): Promise<Readonly<Record<string, string>>> {
    const all = await this.#buildAll([...results]);
    return await exportPlatforms(all, exporter, {
      ...this.#ports,
      ...this.#context,
      access: (domain) => this.#access(domain),
    });
  }

  /** One after the other where nothing kept may be used: what several need is made once all the same. */
  async #buildAll(
    results: readonly (readonly [string, PlatformResult])[],
  ): Promise<readonly BuiltPlatform[]> {
    const all: Promise<BuiltPlatform>[] = [];
    for (const [name, { result, platform: machine, config }] of results) {
      const built = this.#build(result).then((image) => ({
        name,
        platform: machine,
        built: this.#asSaid(image, result, { config, platform: machine }),
      }));
      built.catch(() => {}); // told below
      all.push(built);
      if (this.#isUncached) await built;
    }
    return await Promise.all(all);
  }

  async readFile(
    result: PlannedResult,
    file: { readonly path: string; readonly offset: number; readonly maxBytes: number },
  ): Promise<Uint8Array> {
    return await readFilePart(await this.#rootOf(result), file, this.#context.signal);
  }

  async lookAtFiles(
    result: PlannedResult,
    at: { readonly path: string; readonly isInside: boolean },
  ): Promise<readonly ResultFile[]> {
    return await lookAtFiles(await this.#rootOf(result), at, this.#context.signal);
  }

  async #rootOf(result: PlannedResult): Promise<FilesRoot> {
    const { state } = await this.#build(result);
    return rootOfState(state, this.#ports.collaborators.snapshots);
  }

  async planImage(
    reference: string,
    { platform: wanted, pull }: { readonly platform?: Platform; readonly pull: boolean },
  ): Promise<NamedResult> {
    const { build } = this.#graphs;
    const { config, chainId, digest } = await build.resolveImage(reference, { platform: wanted, pull });
    const state: BuildState = { kind: "files", ...(chainId && { chainId }) };
    const bytes = formatImageConfig(config);
    const result = this.#remember({ config: bytes }, async () => ({ state, config }));
    return { result, config: bytes, ...(digest && { digest }) };
  }

  async openContainer(request: ContainerRequest): Promise<BuildContainer> {
    const { entitlements } = this.#context;
    if (request.network === "host" && !entitlements.includes("network.host"))
      throw buildFaults.NOT_ALLOWED("network.host");
    const inputs = await Promise.all(
      request.inputs.map(async (input) =>
        input === undefined ? undefined : (await this.#build(input)).state,
      ),
    );
    const container = await this.#graphs.build.openContainer({ ...request, inputs });
    this.#used.use(container);
    return container;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#folders.values());
    await this.#used.disposeAsync();
  }

  async #build(result: PlannedResult): Promise<BuiltImage> {
    const build = this.#results.get(result);
    if (build === undefined) throw buildFaults.RESULT_EMPTY();
    return await build();
  }

  /** With the configuration that a front end has made where that is another one. */
  #asSaid(
    built: BuiltImage,
    result: PlannedResult,
    {
      config,
      platform: machine = platformOfNode({ platform, arch }),
    }: Pick<ExporterRequest, "config"> & { readonly platform?: Platform },
  ): BuiltImage {
    const isOwn =
      config === undefined || (result.config !== undefined && Buffer.compare(config, result.config) === 0);
    if (isOwn) return built;
    return {
      ...built,
      config: configOfFrontEnd(config, built, { images: this.#ports.images, platform: machine }),
    };
  }

  /** The Dockerfile's text, read once; what it and its neighbours leave out of the context is noted. */
  #readSource(options: DockerfileOptions): Promise<FaultySource & { readonly digest: string }> {
    const { filename, dockerfileName, contextName, contextUrl = "" } = options;
    const key = JSON.stringify([filename, dockerfileName, contextName, contextUrl]);
    const source = this.#sources.get(key) ?? this.#receiveSource(options);
    this.#sources.set(key, source);
    return source;
  }

  async #receiveSource({
    filename,
    dockerfileName,
    contextName,
  }: DockerfileOptions): Promise<FaultySource & { readonly digest: string }> {
    const { progress } = this.#context;
    const ignoreName = `${filename}.dockerignore`;
    const title = `[internal] load build definition from ${filename}`;
    const given = this.#given?.source;
    if (given !== undefined) {
      return await progress.step(title, async (step) => {
        const current = Buffer.byteLength(given.text);
        step.status("transferring dockerfile:", { current, isDone: true });
        return { ...given, digest: step.digest };
      });
    }
    const { texts, digest } = await progress.step(title, async (step) => {
      const found = await this.#readTexts(dockerfileName, [filename, ignoreName]);
      const bytes = [...found.values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
      step.status(`transferring ${dockerfileName}:`, { current: bytes, isDone: true });
      return { texts: found, digest: step.digest };
    });
    const text = texts.get(filename);
    if (text === undefined) throw buildFaults.DOCKERFILE_MISSING(filename);
    const ignore =
      texts.get(ignoreName) ??
      (await progress.step("[internal] load .dockerignore", async () =>
        (await this.#readTexts(contextName, [".dockerignore"])).get(".dockerignore"),
      ));
    if (ignore !== undefined) this.#ignored.set(contextName, parseIgnoreFile(ignore));
    return { filename, text, digest };
  }

  /** Small files of a folder of the client's. */
  async #readTexts(name: string, paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const { session, signal } = this.#context;
    const found = new Map<string, string>();
    if (this.#isWhole) {
      const folder = await this.#folder({ name });
      for (const path of paths) {
        const text = await folder.readText(path, { maxBytes: maxDockerfileBytes, signal });
        if (text !== undefined) found.set(path, text);
      }
      return found;
    }
    if (session === undefined) throw buildFaults.SESSION_NEEDED();
    return await receiveTexts(session, { name, paths, signal });
  }

  /** The files are not with the client: the folder of any name is what is at the address. */
  #beginRemote(address: string): void {
    if (this.#isWhole) return;
    this.#isWhole = true;
    const { progress, signal } = this.#context;
    const upload = /^http:\/\/buildkit-session(\/.*)$/.exec(address)?.[1];
    const title =
      upload === undefined ? `[internal] load remote build context ${address}` : titleOf("context");
    const received = progress.step(title, async () =>
      upload === undefined
        ? this.#used.use(await this.#builds.receiveRemote(address, { signal, sources: this.#given?.sources }))
        : await this.#unpack(this.#uploaded(upload)),
    );
    received.catch(() => {}); // told when it is waited for
    this.#folders.set("", received);
  }

  /** A folder of the client's. All that came with the request is one, by whatever name. */
  #folder(wanted: FolderPart): Promise<BuildContext> {
    const { archive } = this.#context;
    const { name, include, exclude, follow } = wanted;
    const given = this.#given?.folders[name];
    const isAll = this.#isWhole && given === undefined;
    const part = isAll ? "" : JSON.stringify(given === undefined ? [name, include, exclude, follow] : [name]);
    const there = this.#folders.get(part);
    if (there !== undefined) return there;
    const source = this.#given?.source;
    if (source !== undefined && given === undefined && name === "dockerfile") {
      const content = Buffer.from(source.text);
      const alone = this.#unpack(writeTar([{ path: source.filename, type: "file", content }]));
      this.#folders.set(part, alone);
      return alone;
    }
    const receive = () => (archive === undefined ? this.#receiveFolder(wanted) : this.#unpack(archive));
    const folder = given === undefined ? receive() : this.#takeFolder(given, name);
    this.#folders.set(part, folder);
    return folder;
  }

  async #unpack(archive: AsyncIterable<Uint8Array>): Promise<BuildContext> {
    return this.#used.use(await this.#builds.receiveFolder(archive, this.#context.signal));
  }

  /** A folder that came with the request. */
  async #takeFolder(given: GivenFolder, name: string): Promise<BuildContext> {
    const { progress } = this.#context;
    const { path, device = "", inode = "", ignore = [], upload } = given;
    return await progress.step(titleOf(name), async (step) => {
      if (path === undefined && upload === undefined) return await this.#unpack(writeTar([]));
      let current = 0;
      const id = `transferring ${name}:`;
      const onBytes = (bytes: number) => {
        current += bytes;
        step.status(id, { current });
      };
      const received =
        path === undefined
          ? await this.#unpack(counted(this.#uploaded(upload ?? ""), onBytes))
          : await this.#readLocal({ path, device, inode, ignore }, onBytes);
      step.status(id, { current, isDone: true });
      return received;
    });
  }

  async #readLocal(folder: LocalFolder, onBytes: (bytes: number) => void): Promise<BuildContext> {
    const { signal } = this.#context;
    await using listed = await listLocalFolder(folder, { signal, onBytes });
    const received = await this.#builds.contexts.receive(listed, { place: JSON.stringify(folder), signal });
    return this.#used.use(received).context;
  }

  /** An archive that the client's session sends. */
  #uploaded(path: string): AsyncIterable<Uint8Array> {
    const { session, signal } = this.#context;
    if (session === undefined) throw buildFaults.SESSION_NEEDED();
    return session.upload(path, signal);
  }

  async #receiveFolder({ name, ...part }: FolderPart): Promise<BuildContext> {
    const { session, signal, progress } = this.#context;
    if (session === undefined) throw buildFaults.SESSION_NEEDED();
    return await progress.step(titleOf(name), async (step) => {
      const wanted = { ...part, exclude: part.exclude ?? this.#ignored.get(name) ?? [] };
      const id = `transferring ${name}:`;
      let current = 0;
      const onProgress = (bytes: number) => {
        current = bytes;
        step.status(id, { current });
      };
      using folder = await listFolder(session, { name, ...wanted, signal, onProgress });
      const { sharedKey } = session;
      const place = sharedKey === "" ? undefined : JSON.stringify([sharedKey, name, wanted]);
      const received = await this.#builds.contexts.receive(folder, { place, signal });
      this.#used.use(received);
      step.status(id, { current, isDone: true });
      return received.context;
    });
  }

  async #access(domain: string): Promise<RegistryAccess> {
    const { session, signal } = this.#context;
    if (this.#given !== undefined) return this.#given.access(domain);
    return (session && (await sessionAccess(session, domain, signal))) ?? {};
  }
}

async function* counted(
  bytes: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of bytes) {
    onBytes(chunk.length);
    yield chunk;
  }
}
