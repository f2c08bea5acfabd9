import { posix } from "node:path";
import {
  type ExecutionConfig,
  formatPlatform,
  type ImageConfig,
  type Platform,
  parseReference,
} from "@hawser/oci";
import { didYouMean } from "../dockerfile/did-you-mean.ts";
import { dockerfileFaults, withRange } from "../dockerfile/faults.ts";
import { parseHeredocWord } from "../dockerfile/heredoc.ts";
import { type InstructionNode, parseDockerfile, parseTrigger } from "../dockerfile/parse-dockerfile.ts";
import type { SourceRange } from "../dockerfile/source-range.ts";
import type { LintFinding } from "../lint/lint-dockerfile.ts";
import { createVertex, type Vertex } from "../plan/vertex.ts";
import { applyConfig } from "./apply-config.ts";
import type { PlanRequest, ResolveImage } from "./build-request.ts";
import { type FoundStage, findTarget, splitStages } from "./find-stages.ts";
import { contextKey, copyOfAll, filesOf } from "./named-contexts.ts";
import { placeOf, planCopy } from "./plan-copy.ts";
import { planRun } from "./plan-run.ts";
import { restrictLocals } from "./restrict-locals.ts";
import { isScanArg, type ScannedFiles, scannedFiles } from "./scanned.ts";
import { continueStage, createStage, type PlannedHistory, type Stage, type Step } from "./stage.ts";
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
  const { instructions, escape } = parseDockerfile(request.source);
  const globals = new Map<string, string>(platformArgs(request));
  if (request.sourceDate !== undefined) globals.set("SOURCE_DATE_EPOCH", request.sourceDate);
  const declared = new Map<string, string>();
  const globalRanges = new Map<string, SourceRange>();
  const globalScope = createScope((name) => declared.get(name) ?? globals.get(name), escape);
  /** What arguments are where nobody gives any. */
  const defaults = new Map<string, string>(platformArgs(request));
  const defaultScope = createScope((name) => defaults.get(name), escape);
  const stages = splitStages(instructions, globalScope, {
    host: request.buildPlatform,
    onGlobal(node) {
      for (const [name, initial] of argumentsOf(node)) {
        const value =
          request.buildArgs[name] ?? (initial === undefined ? undefined : globalScope.word(initial));
        globalRanges.set(name, node.range);
        if (value !== undefined) declared.set(name, value);
        const usual = initial === undefined ? undefined : findValue(initial, defaultScope);
        if (usual !== undefined) defaults.set(name, usual);
      }
    },
  });
  const planner = new Planner({ request, escape, stages, globals, declared, globalRanges, ...ports });
  for (const { node } of stages) planner.checkBase(node, defaultScope);
  const target = findTarget(stages, request);
  const stage = await planner.plan(target);
  stage.execution.labels = { ...stage.execution.labels, ...request.labels };
  return restrictLocals({
    root: stage.root,
    execution: stage.execution,
    author: stage.author,
    history: stage.history,
    base: stage.base?.config,
    scanned: planner.scanned(stage),
    findings: planner.findings,
    steps: planner.steps,
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
  readonly findings: LintFinding[] = [];
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
    readonly resolveImage: ResolveImage;
    readonly signal: AbortSignal;
  }) {
    this.#request = parts.request;
    this.#escape = parts.escape;
    this.#stages = parts.stages;
    this.#globals = parts.globals;
    this.#declared = parts.declared;
    this.#globalRanges = parts.globalRanges;
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
      const given = found.name === "" ? undefined : this.#given(found.name, found.platform);
      const stage = await this.#begin(found, given);
      // What the user has under its name takes the place of all of it.
      for (const node of given === undefined ? found.body : []) {
        try {
          await this.#apply(node, stage, { step: true });
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
    const earlier =
      replaced === undefined
        ? this.#stages.findLast((stage) => stage.index < index && matches(stage, base))
        : undefined;
    let stage: Stage;
    if (earlier !== undefined) stage = continueStage(await this.plan(earlier), options);
    else if (replaced === undefined && base === "scratch") stage = createStage(options);
    else stage = await this.#beginWith(replaced ?? this.#given(base, found.platform) ?? base, found);
    stage.steps.push(this.#step(stage, node, earlier === undefined ? stage.root : undefined));
    for (const [name, range] of this.#globalRanges) {
      if (!new RegExp(`[$][{]?${RegExp.escape(name)}\\b`).test(node.text)) continue;
      const value = this.#declared.get(name);
      this.args.push({ name, ...(value !== undefined && { value }), range, stageIndex: index });
    }
    if (earlier === undefined) await this.#trigger(stage, node);
    return stage;
  }

  /** A stage of an image, or of the user's files. */
  async #beginWith(from: string, found: FoundStage): Promise<Stage> {
    const { name, index, platform } = found;
    const options = { name, index, platform };
    const files = filesOf(from, this.#request);
    if (files !== undefined) return createStage({ ...options, root: copyOfAll(files) });
    const image = await this.#image(from, platform);
    this.#checkPlatform(found, image.config);
    const { reference, chainId } = image;
    const root = chainId && createVertex({ kind: "image", reference, chainId });
    return createStage({ ...options, base: image, ...(root && { root }) });
  }

  /** What the image below wants done by those who build on it. */
  async #trigger(stage: Stage, from: InstructionNode): Promise<void> {
    const triggers = stage.execution.onBuild ?? [];
    delete stage.execution.onBuild;
    for (const text of triggers) {
      const node = parseTrigger(text, { escape: this.#escape, range: from.range });
      await this.#apply(node, stage, { step: false });
    }
  }

  async #apply(node: InstructionNode, stage: Stage, options: { readonly step: boolean }): Promise<void> {
    const missing = new Set<string>();
    const lookup = stageLookup(stage);
    const noting = (name: string) => {
      const value = lookup(name);
      if (value === undefined) missing.add(name);
      return value;
    };
    const scope = createScope(noting, this.#escape);
    const before = stage.root;
    const createdBy = await this.#change(node, stage, scope);
    this.#checkVariables(node, stage, missing);
    this.#checkSources(node, stage);
    const vertex = stage.root === before ? undefined : stage.root;
    if (createdBy !== undefined) {
      const isEmpty = vertex === undefined;
      const told = { createdBy, author: "", comment: "buildkit.dockerfile.v0", emptyLayer: isEmpty };
      stage.history.push({ ...told, ...(vertex && { vertex }) });
    }
    if (options.step) stage.steps.push(this.#step(stage, node, vertex));
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

  /** Whether a stage would begin with an image if nobody gave arguments. */
  checkBase(node: InstructionNode, defaults: Scope): void {
    const [base = ""] = node.args;
    const name = base.includes("$") ? findValue(base, defaults) : undefined;
    if (name === undefined || isReference(name)) return;
    const detail = `Default value for ARG ${base} results in empty or invalid base image name`;
    this.findings.push({ rule: "InvalidDefaultArgInFrom", detail, range: node.range });
  }

  #checkVariables(node: InstructionNode, stage: Stage, missing: ReadonlySet<string>): void {
    const known = new Set([...this.#declared.keys(), ...stage.declared, ...envNames(stage.execution.env)]);
    for (const name of missing) {
      if (stage.declared.has(name)) continue;
      const others = known.difference(new Set([name]));
      const detail = `Usage of undefined variable '$${name}'${didYouMean(name, others, "$")}`;
      this.findings.push({ rule: "UndefinedVar", detail, range: node.range });
    }
  }

  #checkSources(node: InstructionNode, stage: Stage): void {
    const { isIgnored } = this.#request;
    const isCopy = node.name === "COPY" || node.name === "ADD";
    if (!isCopy || isIgnored === undefined || node.flags.some((flag) => flag.startsWith("--from="))) return;
    const scope = createScope(stageLookup(stage), this.#escape);
    for (const word of node.args.slice(0, -1)) {
      if (parseHeredocWord(word) !== undefined || placeOf(word) !== "context") continue;
      const path = scope.word(word);
      if (!isIgnored(posix.normalize(path).replace(/\/$/, ""))) continue;
      const verb = node.name === "ADD" ? "Add" : "Copy";
      const detail = `Attempting to ${verb} file ${JSON.stringify(path)} that is excluded by .dockerignore`;
      this.findings.push({ rule: "CopyIgnoredFile", detail, range: node.range });
    }
  }

  #checkPlatform({ base, platform, node }: FoundStage, found: Platform): void {
    const wanted = platform ?? this.#request.platform;
    if (wanted.os === found.os && wanted.architecture === found.architecture) return;
    const [actual, expected] = [found, wanted].map((one) => JSON.stringify(formatPlatform(one)));
    const detail = `Base image ${base} was pulled with platform ${actual}, expected ${expected} for current build`;
    this.findings.push({ rule: "InvalidBaseImagePlatform", detail, range: node.range });
  }

  #runContext(scope: Scope, stage: Stage) {
    return {
      request: this.#request,
      scope,
      context: this.#context,
      find: (name: string) => this.#findInput(name, stage),
    };
  }

  /** `--from`: an earlier stage by name or number, a context of the user's, or an image. */
  async #findInput(name: string, stage: Stage): Promise<Vertex | undefined> {
    const named = this.#stages.filter((other) => matches(other, name) || String(other.index) === name);
    const found = named.findLast(({ index }) => index < stage.index);
    if (found !== undefined) return (await this.plan(found)).root;
    const [later] = named;
    if (later !== undefined) {
      throw dockerfileFaults.DOCKERFILE_INVALID(
        later.index === stage.index
          ? `circular dependency detected on stage: ${name}`
          : `cannot copy from stage ${JSON.stringify(name)}, it needs to be defined before current stage ${JSON.stringify(stage.name)}`,
      );
    }
    if (/^\d+$/.test(name)) throw dockerfileFaults.DOCKERFILE_INVALID(`invalid stage index ${name}`);
    const from = this.#given(name, undefined) ?? name;
    const files = filesOf(from, this.#request);
    if (files !== undefined) return files;
    const image = await this.#image(from, undefined);
    if (image.chainId === undefined) return undefined;
    return createVertex({ kind: "image", reference: image.reference, chainId: image.chainId });
  }

  /** What the user has under a name: for a machine, else for any. */
  #given(name: string, platform: FoundStage["platform"]): string | undefined {
    const { contexts, platform: wanted } = this.#request;
    const key = contextKey(name);
    return contexts[`${key}::${formatPlatform(platform ?? wanted)}`] ?? contexts[key] ?? contexts[name];
  }

  async #image(from: string, platform: FoundStage["platform"]) {
    const reference = from.replace(/^docker-image:\/\//, "");
    return await this.#resolveImage(reference, { platform: platform ?? this.#request.platform });
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

/** `undefined`: it cannot be. */
function findValue(word: string, scope: Scope): string | undefined {
  try {
    return scope.word(word);
  } catch {
    return undefined;
  }
}

function isReference(text: string): boolean {
  try {
    return parseReference(text) !== undefined;
  } catch {
    return false;
  }
}

function envNames(env: readonly string[]): readonly string[] {
  return env.map((text) => text.slice(0, text.indexOf("=")));
}

function matches(stage: FoundStage, name: string): boolean {
  return stage.name !== "" && stage.name.toLowerCase() === name.toLowerCase();
}
