import type { CachePlaceRequest, ExporterRequest, PlannedResult, PlatformResult } from "@hawser/build/grpc";
import { formatPlatform, type ImageConfig, type Platform, platformOfNode } from "@hawser/oci";
import { createProvenance } from "../attest/provenance.ts";
import type { ResultFacts } from "../attest/result-facts.ts";
import { scanResult } from "../attest/scan-result.ts";
import type { Attestation } from "../attest/statement.ts";
import type { BuildState } from "../build-state.ts";
import { inlineCacheOf, resultsToExport, shareResults } from "../cache/export-cache.ts";
import type { ImportedResults } from "../cache/imported-results.ts";
import { buildFaults } from "../faults.ts";
import type { BuiltImage, ImageBuild, VertexResult } from "../image-build.ts";
import { type SealOptions, sealResult } from "../seal-result.ts";
import { type BuiltPlatform, exportPlatforms } from "./export-platforms.ts";
import { type AttestedImage, type ExportContext, exportResult } from "./export-result.ts";
import { exportToPlace } from "./export-to-place.ts";
import { configOfFrontEnd } from "./graph-builder.ts";

/** How a result is executed, once, and what is known of how it is made. */
export interface KnownResult {
  readonly build: () => Promise<BuiltImage>;
  /** Files that an SBOM of it tells of besides, by their names. */
  readonly scanned?: () => Promise<ReadonlyMap<string, BuildState>>;
  readonly facts: ResultFacts;
}

/** The build whose results are brought somewhere. */
export interface ExportedBuild {
  /** @throws {Fault} `invalid-argument` for a result of nobody */
  readonly known: (result: PlannedResult) => KnownResult;
  /** All that it has begun. */
  readonly begun: readonly ImageBuild[];
  readonly imported: () => ImportedResults | undefined;
  /** Kept results are not used, or not all of them. */
  readonly isUncached: () => boolean;
  /** Keep layers until it is over. */
  readonly hold: (held: Disposable) => void;
  /** Begin one more, which sees none of the client's files. */
  readonly beginApart: () => ImageBuild;
}

type Response = Readonly<Record<string, string>>;

/** Brings results to where their client wants them, as it wants them: with their caches, and with what is said of them. */
export class ResultExports {
  readonly #context: ExportContext;
  readonly #build: ExportedBuild;

  constructor(context: ExportContext, build: ExportedBuild) {
    this.#context = context;
    this.#build = build;
  }

  async export(result: PlannedResult | undefined, exporter: ExporterRequest): Promise<Response> {
    if (result === undefined) throw buildFaults.RESULT_EMPTY();
    const image = await this.#build.known(result).build();
    const whole = await this.#complete(image, result, { exporter, said: exporter });
    return await exportResult(whole, exporter, this.#context);
  }

  async exportPlatforms(
    results: ReadonlyMap<string, PlatformResult>,
    exporter: ExporterRequest,
  ): Promise<Response> {
    return await exportPlatforms(await this.#buildAll([...results], exporter), exporter, this.#context);
  }

  async exportCache(results: readonly PlannedResult[], place: CachePlaceRequest): Promise<Response> {
    const { mode = "min" } = place.attributes;
    const images = await Promise.all(results.map((result) => this.#build.known(result).build()));
    if (mode === "max") await this.#receiveAll();
    const states = images.map(({ state }) => state);
    const share = async () => await shareResults(this.#kept(mode, states), this.#sealing);
    return await exportToPlace(share, place, this.#context);
  }

  /** One after the other where nothing kept may be used: what several need is made once all the same. */
  async #buildAll(
    results: readonly (readonly [string, PlatformResult])[],
    exporter: ExporterRequest,
  ): Promise<readonly BuiltPlatform[]> {
    const all: Promise<BuiltPlatform>[] = [];
    for (const [name, { result, platform, config }] of results) {
      const build = async () => {
        const image = await this.#build.known(result).build();
        const said = { config, platform };
        return { name, platform, built: await this.#complete(image, result, { exporter, said }) };
      };
      const built = build();
      built.catch(() => {}); // told below
      all.push(built);
      if (this.#build.isUncached()) await built;
    }
    return await Promise.all(all);
  }

  /** With all that goes with a result. */
  async #complete(
    image: BuiltImage,
    result: PlannedResult,
    options: {
      readonly exporter: ExporterRequest;
      readonly said: Pick<ExporterRequest, "config"> & { readonly platform?: Platform };
    },
  ): Promise<AttestedImage> {
    const { exporter, said } = options;
    const built = this.#asSaid(image, result, said);
    const attestations = await this.#attest(built, result, exporter);
    return { ...built, attestations, seal: () => this.#seal(built, exporter) };
  }

  async #seal({ state, config }: BuiltImage, { hasInlineCache }: ExporterRequest): Promise<ImageConfig> {
    const { diffIds } = await sealResult(state, this.#sealing);
    if (hasInlineCache !== true) return { ...config, diffIds };
    const { images } = this.#context;
    const results = await shareResults(this.#kept("min", [state]), this.#sealing);
    return { ...config, diffIds, inlineCache: inlineCacheOf(results, { diffIds, images }) };
  }

  get #sealing(): SealOptions {
    const { images, signal } = this.#context;
    return { images, signal, hold: this.#build.hold };
  }

  /** What others are given is here, wherever it is from. */
  async #receiveAll(): Promise<void> {
    const imported = this.#build.imported();
    for (const { results } of this.#build.begun) {
      const chainIds = new Set([...results.values()].map(({ chainId }) => chainId));
      for (const chainId of chainIds) await imported?.receive(chainId);
    }
  }

  /** What the build has made and found. */
  #kept(mode: string, states: readonly BuildState[]): readonly VertexResult[] {
    const found = new Map(this.#build.begun.flatMap(({ results }) => [...results]));
    return resultsToExport([...found.values()], {
      mode,
      tops: states.flatMap((state) => (state.kind === "files" ? (state.chainId ?? []) : [])),
      images: this.#context.images,
    });
  }

  /** What the client wants to be told of it. */
  async #attest(
    built: BuiltImage,
    result: PlannedResult,
    { attestations: { provenance, sbom } = {} }: ExporterRequest,
  ): Promise<readonly Attestation[]> {
    const { state, config } = built;
    const known = this.#build.known(result);
    const { os, architecture, variant } = config;
    const machine = { os, architecture, ...(variant !== undefined && { variant }) };
    const scanned =
      sbom &&
      (await scanResult({ state, others: (await known.scanned?.()) ?? new Map() }, sbom, {
        ...this.#context,
        build: this.#build.beginApart(),
        snapshots: this.#context.collaborators.snapshots,
        name: formatPlatform(machine),
        isUncached: this.#build.isUncached(),
      }));
    return [...(scanned ?? []), ...(provenance ? [createProvenance(known.facts, provenance, machine)] : [])];
  }

  /** With the configuration that a front end has made where that is another one. */
  #asSaid(
    built: BuiltImage,
    result: PlannedResult,
    {
      config,
      platform = platformOfNode(process),
    }: Pick<ExporterRequest, "config"> & { readonly platform?: Platform },
  ): BuiltImage {
    const isOwn =
      config === undefined || (result.config !== undefined && Buffer.compare(config, result.config) === 0);
    if (isOwn) return built;
    return { ...built, config: configOfFrontEnd(config, built, { images: this.#context.images, platform }) };
  }
}
