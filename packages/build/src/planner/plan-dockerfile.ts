import { goQuote } from "@hawser/base";
import { type ExecutionConfig, formatPlatform, type ImageConfig } from "@hawser/oci";
import { didYouMean } from "../dockerfile/did-you-mean.ts";
import { dockerfileFaults, withRange } from "../dockerfile/faults.ts";
import {
  type InstructionNode,
  type ParsedDockerfile,
  parseDockerfile,
  parseTrigger,
} from "../dockerfile/parse-dockerfile.ts";
import type { SourceRange } from "../dockerfile/source-range.ts";
import type { LintFinding } from "../lint/lint-dockerfile.ts";
import { createVertex, type Vertex } from "../plan/vertex.ts";
import { applyConfig } from "./apply-config.ts";
import type { PlanRequest, ResolveImage } from "./build-request.ts";
import {
  type FoundStage,
  findBase,
  findSource,
  findStage,
  findTarget,
  splitStages,
  titleOfStage,
} from "./find-stages.ts";
import { contextKey, copyOfAll, filesOf } from "./named-contexts.ts";
import { planCopy } from "./plan-copy.ts";
import { baseFindings, platformFindings, sourceFindings, withFindings } from "./plan-findings.ts";
import { planRun } from "./plan-run.ts";
import { restrictLocals } from "./restrict-locals.ts";
import { isScanArg, type ScannedFiles, scannedFiles } from "./scanned.ts";
import { continueStage, createStage, type PlannedHistory, type Stage, type Step } from "./stage.ts";
import { checkStageSources, sourcesOf } from "./stage-sources.ts";
import { unresolved } from "./unresolved-image.ts";
import { argumentsOf, createScope, platformArgs, type Scope, stageLookup } from "./variables.ts";

/** What a Dockerfile comes to. */
export interface BuildPlan {
  /** The result's file system; `undefined`: an empty one. */
  readonly root: Vertex | undefined;
  readonly execution: ExecutionConfig;
  readonly author: string;
  readonly history: readonly PlannedHistory[];
  readonly base: ImageConfig | undefined;
  /** What else an SBOM of the result is to tell of. */
  readonly scanned: readonly ScannedFiles[];
  /** Build checks that failed and need more than the text. */
  readonly findings: readonly LintFinding[];
  /** Of all stages that the target needs, in the order of the Dockerfile. */
  readonly steps: readonly Step[];
  /** There is no other stage, and no step is shown with its stage's name. Mounts and images that files are copied from count as stages. */
  readonly isOneStage: boolean;
  /** What those stages declare, and what it is. */
  readonly args: readonly DeclaredArg[];
}

/** `ARG`, where a stage declares it, or where it stands before all stages. */
export interface DeclaredArg {
  readonly name: string;
  readonly value?: string;
  readonly range: SourceRange;
  readonly stageIndex: number;
}

/**
 * Plan the stages that the target needs. Images are looked for as they are needed; nothing is executed.
 *
 * @throws {Fault} `invalid-argument`, with a place where it has one; what `resolveImage` throws
 */
export async function planDockerfile(
  request: PlanRequest,
  ports: { readonly resolveImage: ResolveImage; readonly signal: AbortSignal },
): Promise<BuildPlan> {
  const parsed = parseDockerfile(request.source);
  const findings = [...baseFindings(parsed.instructions, request, parsed.escape)];
  try {
    return await planParsed(parsed, { request, findings, ...ports });
  } catch (error) {
    throw withFindings(error, findings);
  }
}

async function planParsed(
  { instructions, escape }: ParsedDockerfile,
  {
    request,
    findings,
    ...ports
  }: {
    readonly request: PlanRequest;
    readonly findings: LintFinding[];
    readonly resolveImage: ResolveImage;
    readonly signal: AbortSignal;
  },
): Promise<BuildPlan> {
  const globals = new Map<string, string>(platformArgs(request));
  if (request.sourceDate !== undefined) globals.set("SOURCE_DATE_EPOCH", request.sourceDate);
  const declared = new Map<string, string>();
  const globalRanges = new Map<string, SourceRange>();
  const globalScope = createScope((name) => declared.get(name) ?? globals.get(name), escape);
  const names = () => [...globals.keys(), ...declared.keys()];
  const known = { scope: globalScope, escape, names, host: request.buildPlatform };
  const stages = splitStages(instructions, known, (node) => {
    for (const [name, initial] of argumentsOf(node)) {
      const value =
        request.buildArgs[name] ?? (initial === undefined ? undefined : globalScope.word(initial));
      globalRanges.set(name, node.range);
      if (value !== undefined) declared.set(name, value);
    }
  });
  const planner = new Planner({
    request,
    escape,
    stages,
    globals,
    declared,
    globalRanges,
    findings,
    ...ports,
  });
  const target = findTarget(stages, request);
  checkStageSources(stages, {
    escape,
    isContext: (name) => planner.given(name, undefined) !== undefined,
    isClassic: request.isClassic,
  });
  const takesFiles = stages.some(({ body }) => body.some(({ flags }) => flags.some(isSource)));
  const stage = await planner.plan(target);
  stage.execution.labels = { ...stage.execution.labels, ...request.labels };
  return restrictLocals({
    root: stage.root,
    execution: stage.execution,
    author: stage.author,
    history: stage.history,
    base: stage.base?.config,
    scanned: planner.scanned(stage),
    findings,
    steps: planner.steps,
    isOneStage: stages.length === 1 && !takesFiles,
    args: planner.args,
  });
}

class Planner {
  readonly #request: PlanRequest;
  readonly #escape: string;
  readonly #stages: readonly FoundStage[];
  readonly #globals: ReadonlyMap<string, string>;
  readonly #declared: ReadonlyMap<string, string>;
  readonly #globalRanges: ReadonlyMap<string, SourceRange>;
  readonly #resolveImage: ResolveImage;
  readonly #signal: AbortSignal;
  readonly #planned = new Map<FoundStage, Stage>();
  readonly findings: LintFinding[];
  readonly args: DeclaredArg[] = [];
  readonly #context = createVertex({ kind: "local", name: "context" });

  constructor(parts: {
    readonly request: PlanRequest;
    readonly escape: string;
    readonly stages: readonly FoundStage[];
    readonly globals: ReadonlyMap<string, string>;
    readonly declared: ReadonlyMap<string, string>;
    /** Where those stand. */
    readonly globalRanges: ReadonlyMap<string, SourceRange>;
    /** What was found before; what planning finds is added. */
    readonly findings: LintFinding[];
    readonly resolveImage: ResolveImage;
    readonly signal: AbortSignal;
  }) {
    this.#request = parts.request;
    this.#escape = parts.escape;
    this.#stages = parts.stages;
    this.#globals = parts.globals;
    this.#declared = parts.declared;
    this.#globalRanges = parts.globalRanges;
    this.findings = parts.findings;
    this.#resolveImage = parts.resolveImage;
    this.#signal = parts.signal;
  }

  get steps(): readonly Step[] {
    return this.#stages.flatMap((stage) => this.#planned.get(stage)?.steps ?? []);
  }

  scanned(target: Stage): readonly ScannedFiles[] {
    const stages = this.#stages.flatMap((stage) => this.#planned.get(stage) ?? []);
    return scannedFiles(stages, { target, context: this.#context, globals: this.#declared });
  }

  /** A stage and what it needs. Each refers to earlier ones only, so there is an end. */
  async plan(found: FoundStage): Promise<Stage> {
    const there = this.#planned.get(found);
    if (there !== undefined) return there;
    this.#signal.throwIfAborted();
    try {
      const given = found.name === "" ? undefined : this.given(found.name, found.platform);
      const stage = await this.#begin(found, given);
      // What the user has under its name takes the place of all of it.
      for (const node of given === undefined ? found.body : []) {
        try {
          await this.#apply(node, stage, node.text);
        } catch (error) {
          throw withRange(error, node.range);
        }
      }
      this.#planned.set(found, stage);
      return stage;
    } catch (error) {
      throw withRange(error, found.node.range);
    }
  }

  async #begin(found: FoundStage, replaced: string | undefined): Promise<Stage> {
    const { name, index, base, node } = found;
    const options = { name, index, platform: found.platform };
    const earlier = replaced === undefined ? findBase(this.#stages, found) : undefined;
    let stage: Stage;
    if (earlier !== undefined) stage = continueStage(await this.plan(earlier), options);
    else if (replaced === undefined && base === "scratch") stage = createStage(options);
    else stage = await this.#beginWith(found, replaced ?? this.given(base, found.platform));
    stage.steps.push(this.#step(stage, node, earlier === undefined ? stage.root : undefined));
    for (const [name, range] of this.#globalRanges) {
      if (!new RegExp(`[$][{]?${RegExp.escape(name)}\\b`).test(node.text)) continue;
      const value = this.#declared.get(name);
      this.args.push({ name, ...(value !== undefined && { value }), range, stageIndex: index });
    }
    await this.#trigger(stage, node);
    return stage;
  }

  /** A stage of an image, or of what the user has under its name. */
  async #beginWith(found: FoundStage, given: string | undefined): Promise<Stage> {
    const { name, index, platform } = found;
    const options = { name, index, platform };
    const files = given === undefined ? undefined : filesOf(given, this.#request);
    if (files !== undefined) return createStage({ ...options, root: copyOfAll(files) });
    const image = await this.#image(given ?? found.base, platform);
    this.findings.push(...platformFindings(found, image.config, this.#request));
    const { reference, chainId } = image;
    const root = chainId && createVertex({ kind: "image", reference, chainId });
    return createStage({ ...options, base: image, ...(root && { root }) });
  }

  /** What the image or the stage below wants done by those who build on it. */
  async #trigger(stage: Stage, from: InstructionNode): Promise<void> {
    const triggers = stage.execution.onBuild ?? [];
    delete stage.execution.onBuild;
    for (const text of triggers) {
      const node = parseTrigger(text, { escape: this.#escape, range: from.range });
      sourcesOf(node, this.#stages, this.#escape);
      await this.#apply(node, stage, `ONBUILD ${node.text}`);
    }
  }

  /** @param text as the step is shown */
  async #apply(node: InstructionNode, stage: Stage, text: string): Promise<void> {
    const missing = new Set<string>();
    const lookup = stageLookup(stage);
    const noting = (name: string) => {
      const value = lookup(name);
      // BuildKit does not look at those of ports.
      if (value === undefined && node.name !== "EXPOSE") missing.add(name);
      return value;
    };
    const scope = createScope(noting, this.#escape);
    const before = stage.root;
    let createdBy: string | undefined;
    try {
      createdBy = await this.#change(node, stage, scope);
    } finally {
      this.#checkVariables(node, stage, missing);
    }
    const ofStage = createScope(stageLookup(stage), this.#escape);
    this.findings.push(...sourceFindings(node, ofStage, this.#request));
    const vertex = stage.root === before ? undefined : stage.root;
    if (createdBy !== undefined) {
      const isEmpty = vertex === undefined;
      const told = { createdBy, author: "", comment: "buildkit.dockerfile.v0", emptyLayer: isEmpty };
      stage.history.push({ ...told, ...(vertex && { vertex }) });
    }
    stage.steps.push({ ...this.#step(stage, node, vertex), text });
  }

  /** @returns what the image's history says of it, in BuildKit's words; `undefined`: nothing */
  async #change(node: InstructionNode, stage: Stage, scope: Scope): Promise<string | undefined> {
    const context = { ...this.#runContext(scope, stage), escape: this.#escape };
    switch (node.name) {
      case "ARG":
        return this.#declare(node, stage, scope);
      case "RUN":
      case "COPY":
      case "ADD": {
        const plan = node.name === "RUN" ? planRun : planCopy;
        const { root, createdBy } = await plan(node, stage, context);
        stage.root = root;
        return createdBy;
      }
      default:
        return applyConfig(node, stage, scope);
    }
  }

  #declare(node: InstructionNode, stage: Stage, scope: Scope): string {
    const { buildArgs } = this.#request;
    const told: string[] = [];
    for (const [name, initial] of argumentsOf(node)) {
      const value =
        buildArgs[name] ??
        (initial === undefined ? undefined : scope.word(initial)) ??
        this.#declared.get(name) ??
        this.#globals.get(name);
      stage.declared.add(name);
      const from = initial === undefined ? this.#globalRanges.get(name) : undefined;
      const range = from ?? node.range;
      this.args.push({ name, ...(value !== undefined && { value }), range, stageIndex: stage.index });
      if (value !== undefined) (isScanArg(name) ? stage.scanArgs : stage.args).set(name, value);
      told.push(value === undefined ? name : `${name}=${value}`);
    }
    return `ARG ${told.join(" ")}`;
  }

  #checkVariables(node: InstructionNode, stage: Stage, missing: ReadonlySet<string>): void {
    const known = new Set([...this.#declared.keys(), ...stage.declared, ...envNames(stage.execution.env)]);
    for (const name of missing) {
      if (stage.declared.has(name)) continue;
      const others = known.difference(new Set([name]));
      const detail = `Usage of undefined variable '$${name}'${didYouMean(name, others, { prefix: "$" })}`;
      this.findings.push({ rule: "UndefinedVar", detail, range: node.range });
    }
  }

  #runContext(scope: Scope, stage: Stage) {
    return {
      request: this.#request,
      scope,
      context: this.#context,
      find: (name: string, options?: { readonly mountedAt?: string }) =>
        this.#findInput(stage, name, options),
    };
  }

  /** `--from`: an earlier stage by name or number, a context of the user's, or an image. */
  async #findInput(
    stage: Stage,
    name: string,
    { mountedAt }: { readonly mountedAt?: string } = {},
  ): Promise<Vertex | undefined> {
    const find = mountedAt === undefined ? findSource : findStage;
    const found = find(this.#stages, name);
    if (found !== undefined && found.index >= stage.index) {
      throw dockerfileFaults.DOCKERFILE_INVALID(
        mountedAt === undefined
          ? `cannot copy from stage ${goQuote(name)}, it needs to be defined before current stage ${goQuote(titleOfStage(stage))}`
          : `cannot mount from stage ${goQuote(name)} to ${goQuote(mountedAt)}, stage needs to be defined before current command`,
      );
    }
    if (found !== undefined) return (await this.plan(found)).root;
    const given = this.given(name, undefined);
    const files = given === undefined ? undefined : filesOf(given, this.#request);
    if (files !== undefined) return files;
    const image = await this.#image(given ?? name, undefined);
    if (image.chainId === undefined) return undefined;
    return createVertex({ kind: "image", reference: image.reference, chainId: image.chainId });
  }

  /** What the user has under a name: for a machine, else for any. */
  given(name: string, platform: FoundStage["platform"]): string | undefined {
    const { contexts, platform: wanted } = this.#request;
    const key = contextKey(name);
    return contexts[`${key}::${formatPlatform(platform ?? wanted)}`] ?? contexts[key] ?? contexts[name];
  }

  async #image(from: string, platform: FoundStage["platform"]) {
    const reference = from.replace(/^docker-image:\/\//, "");
    try {
      return await this.#resolveImage(reference, { platform: platform ?? this.#request.platform });
    } catch (error) {
      if (this.#request.isClassic) throw error;
      throw unresolved(reference, error, this.#stages.map(titleOfStage));
    }
  }

  #step({ index, name, platform }: Stage, node: InstructionNode, vertex: Vertex | undefined): Step {
    return {
      stage: { index, name, ...(platform && { platform }) },
      text: node.text,
      node,
      ...(vertex && { vertex }),
    };
  }
}

const isSource = (flag: string) => /^--(from|mount)=/.test(flag);

function envNames(env: readonly string[]): readonly string[] {
  return env.map((text) => text.slice(0, text.indexOf("=")));
}
