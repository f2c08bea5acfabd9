import { shownUrl } from "@hawser/base";
import { type ExecOp, type Vertex, verticesBelow } from "@hawser/build";
import type { ProvenanceRequest } from "@hawser/build/grpc";
import { formatPlatform, type Platform, platformOfNode } from "@hawser/oci";
import type { SourcePins } from "../build-sources.ts";
import { buildFaults } from "../faults.ts";
import { type BuildSteps, buildStepsOf } from "./build-steps.ts";
import { type Material, materialsOf } from "./materials.ts";
import type { ResultFacts } from "./result-facts.ts";
import type { Attestation } from "./statement.ts";

/** Of the front end's request; an agent and a secret only by their names. */
interface Parameters {
  readonly frontend?: string;
  readonly args?: Readonly<Record<string, string>>;
  readonly secrets?: readonly Needed[];
  readonly ssh?: readonly Needed[];
  readonly locals?: readonly { readonly name: string }[];
}

interface Needed {
  readonly id: string;
  readonly optional?: true;
}

interface Told {
  readonly materials: readonly Material[];
  readonly configSource: Material | { readonly uri?: string };
  readonly entryPoint: string;
  readonly parameters: Parameters;
  readonly isComplete: { readonly parameters: boolean; readonly materials: boolean };
  readonly isHermetic: boolean;
  readonly vcs: Readonly<Record<string, string>>;
  /** `max` only. */
  readonly steps?: BuildSteps;
  readonly source?: object;
}

/**
 * How a result was made, as BuildKit tells it: SLSA's predicate of version 0.2 or 1. It has neither times nor the id of the build, so
 * that the same source gives the same bytes.
 *
 * @throws {Fault} `invalid-argument` when all that was used has to be known, and is not
 */
export function createProvenance(
  facts: ResultFacts,
  request: ProvenanceRequest,
  platform: Platform,
): Attestation {
  const told = tell(facts, request, platform);
  if (request.needsAll && !told.isComplete.materials) throw buildFaults.MATERIALS_INCOMPLETE();
  const isOld = request.version === "v0.2";
  return {
    filename: request.filename,
    predicateType: `https://slsa.dev/provenance/${request.version}`,
    predicate: isOld ? predicate02(told, request) : predicate1(told, request),
  };
}

function tell(facts: ResultFacts, { mode }: ProvenanceRequest, platform: Platform): Told {
  const all = withInputs(facts);
  const vertices = all.flatMap(({ plan }) => verticesBelow([plan?.root]));
  const used = all.flatMap(({ sources }) => sources.map((source) => source.used));
  const materials = materialsOf([...used, checkedFiles(vertices)], platform);
  const { request } = facts;
  const contexts = all.flatMap((one) => one.request?.contextUrl ?? []).map(shownUrl);
  const locals = request === undefined ? [] : localsOf(request, vertices);
  const execs = vertices.flatMap(({ op }) => (op.kind === "exec" ? [op] : []));
  const isGraph = facts.definition !== undefined || request === undefined;
  const isMax = mode === "max";
  const { args, vcs, isScrubbed } = argsOf(request?.attributes ?? {}, { isMax });
  const areMaterialsComplete = locals.length === 0 && !isGraph;
  const uri = contexts[0];
  return {
    materials,
    configSource: materials.find((one) => one.uri === uri) ?? (uri === undefined ? {} : { uri }),
    entryPoint: request?.filename ?? "",
    parameters: {
      ...(request && { frontend: request.frontend }),
      ...(Object.keys(args).length > 0 && { args }),
      ...(isMax && neededBy(execs)),
      ...(locals.length > 0 && { locals: locals.map((name) => ({ name })) }),
    },
    isComplete: { parameters: !isGraph && !isScrubbed, materials: areMaterialsComplete },
    isHermetic: areMaterialsComplete && execs.every(({ network }) => network === "none"),
    vcs,
    ...(isMax && stepsOf(facts)),
  };
}

function withInputs(facts: ResultFacts): readonly ResultFacts[] {
  return [facts, ...facts.inputs.flatMap(withInputs)];
}

/** Files whose digests the source has itself are known without having been asked for. */
function checkedFiles(vertices: readonly Vertex[]): SourcePins {
  const files = vertices.flatMap(({ op }): [string, string][] =>
    op.kind === "http" && op.checksum !== undefined ? [[shownUrl(op.url), op.checksum]] : [],
  );
  return { images: {}, repositories: {}, files: Object.fromEntries(files) };
}

/** The client's folders that were read, by the client's names of them. */
function localsOf(
  request: NonNullable<ResultFacts["request"]>,
  vertices: readonly Vertex[],
): readonly string[] {
  const { contextUrl, contextName, dockerfileName } = request;
  const used = vertices.flatMap(({ op }) => (op.kind === "local" ? [op.name] : []));
  const isUpload = contextUrl?.startsWith("http://buildkit-session/") === true;
  if (contextUrl !== undefined && !isUpload) return [...new Set(used)].filter((name) => name !== "context");
  const names = used.map((name) => (name === "context" ? contextName : name));
  return [...new Set([...names, dockerfileName])].toSorted();
}

/** Of this machine, of one session, without a meaning for the result, or told elsewhere. */
const leftOut = /^(attest:|build-arg:BUILDKIT_ATTEST_|local-sessionid:|vcs:|context$|filename$)/;
const ofMachine = ["cgroup-parent", "image-resolve-mode", "platform", "cache-imports", "no-cache"];

function argsOf(attributes: Readonly<Record<string, string>>, { isMax }: { readonly isMax: boolean }) {
  let isScrubbed = false;
  const args: [string, string][] = [];
  const vcs: [string, string][] = [];
  for (const [name, value] of Object.entries(attributes).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (name.startsWith("vcs:") && value !== "") {
      vcs.push([name.slice("vcs:".length), name === "vcs:source" ? shownUrl(value) : value]);
    }
    if (leftOut.test(name) || ofMachine.includes(name)) continue;
    if (!isMax && /^(build-arg|label):/.test(name)) isScrubbed = true;
    else args.push([name, name.startsWith("context:") ? shownUrl(value) : value]);
  }
  return { args: Object.fromEntries(args), vcs: Object.fromEntries(vcs), isScrubbed };
}

function neededBy(execs: readonly ExecOp[]): Pick<Parameters, "secrets" | "ssh"> {
  const secrets = new Map<string, Needed>();
  const ssh = new Map<string, Needed>();
  for (const mount of execs.flatMap(({ mounts }) => mounts)) {
    if (mount.kind !== "secret" && mount.kind !== "secret-variable" && mount.kind !== "ssh") continue;
    const needed = mount.kind === "ssh" ? ssh : secrets;
    const { id, isRequired } = mount;
    // One that wants it is enough.
    const isOptional = !isRequired && (needed.get(id) ?? { optional: true }).optional === true;
    needed.set(id, { id, ...(isOptional && { optional: true }) });
  }
  return {
    ...(secrets.size > 0 && { secrets: [...secrets.values()] }),
    ...(ssh.size > 0 && { ssh: [...ssh.values()] }),
  };
}

function stepsOf({ plan, request }: ResultFacts): Pick<Told, "steps" | "source"> {
  if (plan === undefined) return {};
  const steps = buildStepsOf(plan.root);
  if (request === undefined || plan.steps === undefined) return { steps };
  const locations = plan.steps.flatMap(({ vertex, node }) => {
    const id = vertex && steps.ids.get(vertex.digest);
    const { firstLine, lastLine } = node.range;
    const range = { start: { line: firstLine }, end: { line: lastLine } };
    return id === undefined ? [] : [[id, { locations: [{ ranges: [range] }] }] as const];
  });
  const { filename, text } = request;
  const info = { filename, language: "Dockerfile", data: Buffer.from(text).toString("base64") };
  return { steps, source: { locations: Object.fromEntries(locations), infos: [info] } };
}

function buildConfig({ steps }: Told) {
  if (steps === undefined) return undefined;
  return { llbDefinition: steps.steps, digestMapping: Object.fromEntries(steps.ids) };
}

function buildkitMetadata({ vcs, source }: Told) {
  return { ...(Object.keys(vcs).length > 0 && { vcs }), ...(source && { source }) };
}

const ownPlatform = () => formatPlatform(platformOfNode(process));

/** https://slsa.dev/spec/v0.2/provenance, with BuildKit's additions (its docs/attestations/slsa-definitions.md). */
function predicate02(told: Told, { builderId, isReproducible }: ProvenanceRequest): object {
  const config = buildConfig(told);
  return {
    builder: { id: builderId },
    buildType: "https://mobyproject.org/buildkit@v1",
    materials: told.materials,
    invocation: {
      configSource: { ...told.configSource, ...(told.entryPoint !== "" && { entryPoint: told.entryPoint }) },
      parameters: told.parameters,
      environment: { platform: ownPlatform() },
    },
    ...(config && { buildConfig: config }),
    metadata: {
      completeness: { ...told.isComplete, environment: true },
      reproducible: isReproducible,
      "https://mobyproject.org/buildkit@v1#metadata": buildkitMetadata(told),
      ...(told.isHermetic && { "https://mobyproject.org/buildkit@v1#hermetic": true }),
    },
  };
}

/** https://slsa.dev/spec/v1.0/provenance, likewise. */
function predicate1(told: Told, { builderId, isReproducible }: ProvenanceRequest): object {
  const config = buildConfig(told);
  return {
    buildDefinition: {
      buildType: "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
      externalParameters: {
        configSource: { ...told.configSource, ...(told.entryPoint !== "" && { path: told.entryPoint }) },
        request: told.parameters,
      },
      internalParameters: { ...(config && { buildConfig: config }), builderPlatform: ownPlatform() },
      resolvedDependencies: told.materials,
    },
    runDetails: {
      builder: { id: builderId },
      metadata: {
        buildkit_metadata: buildkitMetadata(told),
        ...(told.isHermetic && { buildkit_hermetic: true }),
        buildkit_completeness: {
          request: told.isComplete.parameters,
          resolvedDependencies: told.isComplete.materials,
        },
        ...(isReproducible && { buildkit_reproducible: true }),
      },
    },
  };
}
