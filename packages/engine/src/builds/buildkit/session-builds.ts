import { Fault } from "@hawser/base";
import type { VertexEvent } from "@hawser/build";
import type { BuildContextOfClient } from "@hawser/build/grpc";
import type { RegistryAccess } from "@hawser/registry/client";
import type { BuildService } from "../build-service.ts";
import type { BuildSources } from "../build-sources.ts";
import type { ImportedResults } from "../cache/imported-results.ts";
import { lentBlobs } from "../cache/lent-blobs.ts";
import { buildFaults } from "../faults.ts";
import type { ImageBuild, ImageBuildOptions } from "../image-build.ts";
import type { BuildFiles } from "../op-scope.ts";
import type { ExportPorts } from "./export-result.ts";
import type { GivenFiles } from "./given-files.ts";
import { openImports } from "./open-imports.ts";
import { sessionAccess } from "./session-answers.ts";
import { inBuildkitsWords, startProblem } from "./step-traits.ts";

export interface SessionBuildsParts {
  readonly builds: BuildService;
  readonly ports: ExportPorts;
  readonly context: BuildContextOfClient;
  readonly given: GivenFiles | undefined;
  /** Of all that is built. */
  readonly sources: BuildSources;
}

/** The image builds of a client's one: each has what the client serves, or has given. Disposal ends them. */
export class SessionBuilds implements AsyncDisposable {
  readonly #parts: SessionBuildsParts;
  readonly #used = new AsyncDisposableStack();
  readonly #begun: ImageBuild[] = [];
  readonly #made = new Set<string>();
  /** Opened when a build begins: then there is a session. */
  #imported: ImportedResults | undefined;
  /** What a Dockerfile comes to is exported as an image, or in an archive of one. */
  becomesImage = false;

  constructor(parts: SessionBuildsParts) {
    this.#parts = parts;
  }

  get begun(): readonly ImageBuild[] {
    return this.#begun;
  }

  /** Digests of vertices that have been executed. */
  get made(): ReadonlySet<string> {
    return this.#made;
  }

  /** Results of other builders: what one build has asked for the others know. */
  get imported(): ImportedResults | undefined {
    return this.#imported;
  }

  /** Keep something until the builds are over. */
  use(used: Disposable | AsyncDisposable): void {
    this.#used.use(used);
  }

  /** Begin a build. */
  begin({
    folder,
    ...options
  }: Pick<ImageBuildOptions, "limits" | "pull" | "showing" | "input" | "solveDefinition"> &
    Pick<BuildFiles, "folder">): ImageBuild {
    const { builds, context } = this.#parts;
    const { progress, signal, session } = context;
    const sources = this.#parts.sources.part();
    const build = this.#used.use(
      builds.begin({
        ...options,
        becomesImage: () => this.becomesImage,
        sources,
        imported: this.#openImports(),
        files: {
          folder,
          repository: async (reference, { keepsGitDir }) =>
            this.#used.use(await builds.receiveRepository(reference, { keepsGitDir, signal, sources })),
          secret: async (id) => await session?.secret(id, signal),
          agent: async (id) => await session?.agent(id, signal),
        },
        layout: (store) => (session === undefined ? undefined : lentBlobs(session, `oci:${store}`)),
        access: (domain) => this.access(domain),
        signal,
        onEvent: (event) => {
          if (event.kind === "completed") this.#made.add(event.vertex.digest);
          if (event.kind === "failed") takeFailure(event, progress);
          else progress.take(event);
        },
        onContainer: () => {},
      }),
    );
    this.#begun.push(build);
    return build;
  }

  /** Begin a build that sees results alone. */
  beginApart(): ImageBuild {
    const folder = () => {
      throw buildFaults.RESULT_EMPTY();
    };
    return this.begin({ folder, limits: { ...this.#parts.given?.limits }, pull: false });
  }

  /** What a registry is asked with. */
  async access(domain: string): Promise<RegistryAccess> {
    const { given, context } = this.#parts;
    const { session, signal } = context;
    if (given !== undefined) return given.access(domain);
    return (session && (await sessionAccess(session, domain, signal))) ?? {};
  }

  #openImports(): ImportedResults | undefined {
    const { builds, ports, context } = this.#parts;
    if (context.cacheImports.length === 0 || this.#imported !== undefined) return this.#imported;
    const access = (domain: string) => this.access(domain);
    this.#imported = this.#used.use(openImports({ ...ports, ...context, access, builds }));
    return this.#imported;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#used.disposeAsync();
  }
}

function takeFailure(
  event: Extract<VertexEvent, { readonly kind: "failed" }>,
  progress: BuildContextOfClient["progress"],
): void {
  const { vertex } = event;
  const why = startProblem(Fault.from(event.error).message);
  if (why !== undefined && vertex.op.kind === "exec")
    progress.take({
      kind: "output",
      vertex,
      stream: "stderr",
      bytes: Buffer.from(`runc run failed: ${why}\n`),
    });
  progress.take({ ...event, error: inBuildkitsWords(event.error, vertex.op) });
}
