import { createHash } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Duplex } from "node:stream";
import type { ExecOp, HttpOp, LocalOp, OpRun, OpRunner, Vertex } from "@hawser/build";
import { type ChainId, parseChainId } from "@hawser/oci";
import type { ContainerConfig, HostConfig } from "@hawser/runtime";
import {
  type BuildCache,
  diskFault,
  type HeldLayer,
  type ImageStore,
  type OverlayMount,
  readFiles,
  type WrittenFolder,
} from "@hawser/store";
import type { Collaborators } from "../containers/collaborators.ts";
import { createContainerId } from "../containers/names.ts";
import type { BuildContext } from "./build-context.ts";
import type { BuildSources } from "./build-sources.ts";
import type { BuildState } from "./build-state.ts";
import type { ImportedResults } from "./cache/imported-results.ts";
import { type CacheMounts, folderNameOf } from "./cache-mounts.ts";
import { type CopyInput, copyFiles, type FilesWork, makeFolder } from "./copy-files.ts";
import { diffTrees } from "./diff-trees.ts";
import { shownUrl } from "./download.ts";
import { buildFaults } from "./faults.ts";
import { doFileAction } from "./file-actions.ts";
import { clampLayerTimes, sentFiles } from "./layer-times.ts";
import { netFile } from "./net-file.ts";
import { describeVertex, keyOfVertex, resultKeys } from "./op-keys.ts";
import { readSmallFile } from "./read-small-file.ts";
import { runProcess } from "./run-process.ts";
import { sealState } from "./seal-result.ts";

export interface OpRunnerParts {
  readonly collaborators: Collaborators;
  readonly images: ImageStore;
  readonly cache: BuildCache;
  readonly defaults: { readonly config: ContainerConfig; readonly hostConfig: HostConfig };
  /** Of processes. */
  readonly cacheMounts: CacheMounts;
  /** Folder of builds: what a build needs while it goes, among others. */
  readonly folder: string;
}

/** What whoever asks for a build gives it. Each is asked for when it is needed. */
export interface BuildFiles {
  /** Files of the user's, by the name that the plan has for them, or a part of them. */
  folder(wanted: Omit<LocalOp, "kind">): Promise<BuildContext>;
  /** Files of a repository. */
  repository(reference: string, options: { readonly keepsGitDir: boolean }): Promise<BuildContext>;
  /** `undefined`: there is none of that name. */
  secret(id: string): Promise<Uint8Array | undefined>;
  /** A connection to an ssh agent of the user's; `undefined`: there is none of that name. */
  agent(id: string): Promise<Duplex | undefined>;
}

/** What of a build its ops need. */
export interface BuildScope {
  readonly files: BuildFiles;
  readonly sources?: BuildSources;
  /** No file of a vertex' result is younger. */
  readonly epochOf: (vertex: Vertex) => number;
  /** Solve a graph that a step has made: `pb.Definition`. */
  readonly solveDefinition: (bytes: Uint8Array, run: OpRun) => Promise<BuildState>;
  readonly limits: Partial<HostConfig>;
  readonly onContainer: (vertex: Vertex, id: string) => void;
  /** Layers of the build's results, kept from collection until the build is over. */
  readonly holds: DisposableStack;
  /** Results of other builders. */
  readonly imported?: ImportedResults | undefined;
}

/** A way to do ops that knows a build: its files, its limits, its clock. */
export function createOpRunner(parts: OpRunnerParts, scope: BuildScope): OpRunner<BuildState> {
  return {
    cacheKey: async (vertex, inputs) => keyOfInputs(vertex, inputs, scope),
    async find(key, vertex, inputs, run) {
      const states: BuildState[] = [];
      for (const [at, own] of resultKeys(key, vertex.op).entries()) {
        const record = parts.cache.use(own);
        const chainId =
          record === undefined
            ? await findShared(parts, scope, { vertex, inputs, at, own, run })
            : record.chainId;
        if (record === undefined && chainId === undefined) return undefined;
        states.push(keep(parts, scope, chainId));
      }
      return stateOf(states);
    },
    async execute(vertex, inputs, run) {
      try {
        return await execute(parts, scope, { vertex, inputs: keyedInputs(vertex, inputs), run });
      } catch (error) {
        throw diskFault(error, parts.folder);
      }
    },
    adopt: (state) => adopt(parts, scope, state),
  };
}

/** As `keyOfVertex`, for the inputs that there are. */
export function keyOfInputs(
  vertex: Vertex,
  inputs: readonly BuildState[],
  scope: BuildScope,
): string | undefined {
  return keyOfVertex(vertex, keyedInputs(vertex, inputs), scope);
}

/** A result of another builder. What that has worked on is known to it by its digest alone. */
async function findShared(
  { images }: OpRunnerParts,
  scope: BuildScope,
  {
    vertex,
    inputs,
    at,
    own,
    run: { signal },
  }: {
    readonly vertex: Vertex;
    readonly inputs: readonly BuildState[];
    /** Which of the vertex' results. */
    readonly at: number;
    readonly own: string;
    readonly run: OpRun;
  },
): Promise<ChainId | undefined> {
  const { imported } = scope;
  if (imported === undefined || !(await imported.hasAny())) return undefined;
  const options = { images, signal, hold: (held: Disposable) => hold(scope, held) };
  const sealed = await Promise.all(inputs.map((input) => sealState(input, options)));
  const shared = resultKeys(keyOfInputs(vertex, sealed, scope) ?? own, vertex.op)[at] ?? own;
  return await imported.find({ own, shared }, describeVertex(vertex));
}

function adopt(parts: OpRunnerParts, scope: BuildScope, state: BuildState): BuildState {
  switch (state.kind) {
    case "files":
      return keep(parts, scope, state.chainId);
    case "several":
      return { kind: "several", states: state.states.map((one) => adopt(parts, scope, one)) };
    case "context":
      return state;
  }
}

function stateOf(states: readonly BuildState[]): BuildState {
  const [only] = states;
  return only !== undefined && states.length === 1 ? only : { kind: "several", states };
}

/** The inputs in the vertex' own order: an empty file system has no vertex. */
function keyedInputs(vertex: Vertex, inputs: readonly BuildState[]): readonly (BuildState | undefined)[] {
  const rest = [...inputs];
  return vertex.inputs.map((input) => (input === undefined ? undefined : rest.shift()));
}

function keep({ images }: OpRunnerParts, scope: BuildScope, chainId: ChainId | undefined): BuildState {
  if (chainId === undefined) return { kind: "files" };
  hold(scope, images.layers.hold(chainId));
  return { kind: "files", chainId };
}

/** Keep a layer for the build. One that has ended while others want its work needs it no more. */
function hold({ holds }: BuildScope, held: Disposable): void {
  if (holds.disposed) held[Symbol.dispose]();
  else holds.use(held);
}

interface OpCall {
  readonly vertex: Vertex;
  readonly inputs: readonly (BuildState | undefined)[];
  readonly run: OpRun & { readonly key?: string };
}

async function execute(parts: OpRunnerParts, scope: BuildScope, call: OpCall): Promise<BuildState> {
  const { op } = call.vertex;
  if (op.kind !== "output") await Promise.all(call.inputs.map((input) => receive(scope, input)));
  switch (op.kind) {
    case "image":
      return keep(parts, scope, op.chainId === undefined ? undefined : parseChainId(op.chainId));
    case "local":
      return { kind: "context", context: await scope.files.folder(op) };
    case "git":
      return { kind: "context", context: await scope.files.repository(op.reference, op) };
    case "http":
      return await fetchNetFile(parts, scope, { ...call, op });
    case "exec":
      return await execProcess(parts, scope, { ...call, op });
    case "copy":
      return await onSnapshot(parts, scope, call, (work) =>
        copyFiles(
          op,
          call.inputs.map((input) => copyInput(parts, input)),
          work,
        ),
      );
    case "make-folder":
      return await onSnapshot(parts, scope, call, (work) => makeFolder(op, work));
    case "file": {
      const inputs = call.inputs.map((input) => copyInput(parts, input));
      return await onSnapshot(parts, scope, call, async (work) => {
        for (const action of op.actions) await doFileAction(action, inputs, work);
      });
    }
    case "merge": {
      const chains = await Promise.all(call.inputs.map((input) => chainOf(parts, scope, { ...call, input })));
      return addStack(parts, scope, {
        ...call,
        chainIds: chains.flatMap((chainId) => layersOf(parts, chainId)),
      });
    }
    case "diff":
      return await diff(parts, scope, call);
    case "build": {
      const [input] = call.inputs;
      const definition = await readInput(parts, input, { path: op.path, ...call.run });
      return await scope.solveDefinition(definition, call.run);
    }
    case "output": {
      const [from] = call.inputs;
      const state = from?.kind === "several" ? from.states[op.index] : undefined;
      if (state === undefined) throw new Error("a process has the results that were planned");
      return adopt(parts, scope, state);
    }
  }
}

async function fetchNetFile(
  parts: OpRunnerParts,
  scope: BuildScope,
  { op, ...call }: OpCall & { readonly op: HttpOp },
): Promise<BuildState> {
  const temporary = join(parts.folder, "run", createContainerId(parts.collaborators.host.randomBytes));
  await mkdir(dirname(temporary), { recursive: true, mode: 0o700 });
  const pin = scope.sources?.filePin(op.url);
  const wanted = pin === undefined ? op : { ...op, checksum: pin };
  const { result, digest } = await netFile<BuildState>(wanted, {
    folder: join(parts.folder, "http"),
    temporary,
    signal: call.run.signal,
    reach: parts.collaborators.reach,
    find(key) {
      const record = parts.cache.use(key);
      return record && keep(parts, scope, record.chainId);
    },
    add: async (key, layer) =>
      await addResult(parts, scope, {
        ...call,
        run: { ...call.run, key },
        parent: undefined,
        layer: clampLayerTimes(layer, latestNsOf(scope, call.vertex)),
      }),
  });
  if (op.checksum !== undefined && op.checksum !== digest) {
    throw buildFaults.DOWNLOAD_MISMATCH(shownUrl(op.url), op.checksum, digest);
  }
  scope.sources?.useFile(op.url, digest);
  return result;
}

/** Have the files here that a state is of. */
async function receive({ imported }: BuildScope, state: BuildState | undefined): Promise<void> {
  if (state?.kind === "files") await imported?.receive(state.chainId);
  if (state?.kind === "several") {
    for (const one of state.states) if (one.kind === "files") await imported?.receive(one.chainId);
  }
}

async function execProcess(
  parts: OpRunnerParts,
  scope: BuildScope,
  call: OpCall & { readonly op: ExecOp },
): Promise<BuildState> {
  const { op, run, vertex } = call;
  const { collaborators, folder, defaults } = parts;
  const outputs = op.outputs ?? [-1];
  const inputOf = (output: number) => {
    const mount = op.mounts[output];
    return output < 0 ? 0 : mount?.kind === "bind" ? mount.input : -1;
  };
  const sealing = {
    images: parts.images,
    signal: run.signal,
    hold: (held: Disposable) => hold(scope, held),
  };
  // Files of the user's that are written to, or that a process sees as its root, are a layer first.
  const whole = new Set([0, ...outputs.map(inputOf)]);
  const inputs = await Promise.all(
    call.inputs.map(async (input, at): Promise<BuildState | undefined> => {
      if (input === undefined) return input;
      if (input.kind === "context" && whole.has(at))
        return keep(parts, scope, await chainOf(parts, scope, { ...call, input }));
      // A cache is found again by what it begins with, whoever has made that.
      const isCaches = op.mounts.some((mount) => mount.kind === "cache" && mount.files?.input === at);
      return isCaches ? await sealState(input, sealing) : input;
    }),
  );
  const parent = filesChain(inputs[0]);
  const runDir = join(folder, "run", createContainerId(collaborators.host.randomBytes));
  const work = {
    ...run,
    defaults,
    limits: scope.limits,
    files: scope.files,
    caches: parts.cacheMounts,
    runDir,
    inputs,
    onContainer: (id: string) => scope.onContainer(vertex, id),
  };
  const start = () =>
    runProcess(collaborators, { op, parent, work }, async (written) => {
      const keys = run.key === undefined ? [] : resultKeys(run.key, op);
      const states: BuildState[] = [];
      for (const [at, output] of outputs.entries()) {
        const { key: _, ...rest } = run;
        const key = keys[at];
        states.push(
          await addResult(parts, scope, {
            ...call,
            run: { ...rest, ...(key !== undefined && { key }) },
            parent: filesChain(inputs[inputOf(output)]),
            layer: written(output, latestNsOf(scope, vertex)),
          }),
        );
      }
      return stateOf(states);
    });
  // What may have a cache of its own can as well wait for this one.
  const own = op.mounts.flatMap((mount) =>
    mount.kind === "cache" && mount.sharing !== undefined ? folderNameOf(mount, inputs) : [],
  );
  try {
    return await parts.cacheMounts.runAlone(own, start, run.signal);
  } finally {
    await rm(runDir, { recursive: true, force: true });
  }
}

/** When a result's youngest file is made, so that the same work gives the same bytes whenever it is done. */
const latestNsOf = ({ epochOf }: BuildScope, vertex: Vertex) => BigInt(epochOf(vertex)) * 1_000_000n;

/** What a diff comes to: the layers between two of one chain as they are, else one that is made of a comparison. */
async function diff(parts: OpRunnerParts, scope: BuildScope, call: OpCall): Promise<BuildState> {
  const [lower, upper] = await Promise.all(
    [call.inputs[0], call.inputs[1]].map((input) => chainOf(parts, scope, { ...call, input })),
  );
  const [below, all] = [layersOf(parts, lower), layersOf(parts, upper)];
  if (below.every((chainId, at) => all[at] === chainId)) {
    return addStack(parts, scope, { ...call, chainIds: all.slice(below.length) });
  }
  const { snapshots } = parts.collaborators;
  const rootOf = (chainId: ChainId | undefined) =>
    ({ kind: "layers", lower: snapshots.lowerFolders(chainId) }) as const;
  const trees = diffTrees(rootOf(lower), rootOf(upper), call.run);
  const layer = clampLayerTimes(trees, latestNsOf(scope, call.vertex));
  return await addResult(parts, scope, { ...call, parent: undefined, layer });
}

function layersOf({ images }: OpRunnerParts, chainId: ChainId | undefined): readonly ChainId[] {
  return images.layers.chain(chainId).map((layer) => layer.chainId);
}

function filesChain(state: BuildState | undefined): ChainId | undefined {
  return state?.kind === "files" ? state.chainId : undefined;
}

/** Layers that are there in another order. They cost nothing. */
function addStack(
  { collaborators, cache }: OpRunnerParts,
  scope: BuildScope,
  { chainIds, run, vertex }: OpCall & { readonly chainIds: readonly ChainId[] },
): BuildState {
  const held = collaborators.snapshots.stackLayers(chainIds);
  if (held !== undefined) hold(scope, held);
  const chain = held && { chainId: held.layer.chainId };
  if (run.key !== undefined) {
    cache.put({
      key: run.key,
      ...chain,
      ...(chain && { parent: chain.chainId }),
      description: describeVertex(vertex),
    });
  }
  return { kind: "files", ...chain };
}

/** The layers of an input. Files of the user's become one. */
async function chainOf(
  parts: OpRunnerParts,
  scope: BuildScope,
  { input, run, vertex }: Omit<OpCall, "inputs"> & { readonly input: BuildState | undefined },
): Promise<ChainId | undefined> {
  if (input?.kind !== "context") return filesChain(input);
  const { context } = input;
  const epochMs = scope.epochOf(vertex);
  const key = createHash("sha256")
    .update(JSON.stringify(["context", context.digestOf(""), epochMs]))
    .digest("hex");
  const record = parts.cache.use(key);
  const state =
    record === undefined
      ? await addResult(parts, scope, {
          vertex: { ...vertex, op: { kind: "local", name: "" } },
          inputs: [],
          run: { ...run, key },
          parent: undefined,
          layer: sentFiles(readFiles(context.root, { kind: "export" }, run), epochMs),
        })
      : keep(parts, scope, record.chainId);
  return filesChain(state);
}

/** A file of an input. */
async function readInput(
  { collaborators }: OpRunnerParts,
  input: BuildState | undefined,
  { path, signal }: { readonly path: string; readonly signal: AbortSignal },
): Promise<Uint8Array> {
  if (input === undefined || input.kind === "several") throw buildFaults.FILE_MISSING(path);
  const root =
    input.kind === "context"
      ? input.context.root
      : ({ kind: "layers", lower: collaborators.snapshots.lowerFolders(input.chainId) } as const);
  return await readSmallFile(root, path, { maxBytes: maxDefinitionBytes, signal });
}

const maxDefinitionBytes = 16 << 20;

function copyInput({ collaborators }: OpRunnerParts, input: BuildState | undefined): CopyInput | undefined {
  if (input === undefined || input.kind === "several") return undefined;
  if (input.kind === "context") return input;
  return { kind: "files", lower: collaborators.snapshots.lowerFolders(input.chainId) };
}

/** Change files on top of the first input, and keep the layer that this makes. */
async function onSnapshot(
  parts: OpRunnerParts,
  scope: BuildScope,
  call: OpCall,
  change: (work: FilesWork) => Promise<void>,
): Promise<BuildState> {
  const { snapshots, host } = parts.collaborators;
  const { signal } = call.run;
  const parent = await chainOf(parts, scope, { ...call, input: call.inputs[0] });
  const key = `build-${createContainerId(host.randomBytes)}`;
  const overlay: OverlayMount = await snapshots.prepare(key, parent);
  try {
    await change({ overlay, epochMs: scope.epochOf(call.vertex), signal });
    parts.collaborators.reach("build.copied");
    const layer = { path: overlay.upper, leaveOut: [], latestNs: latestNsOf(scope, call.vertex) };
    const madeOf = call.run.key;
    return await addResult(parts, scope, { ...call, parent, layer, ...(madeOf !== undefined && { madeOf }) });
  } finally {
    await snapshots.remove(key);
  }
}

async function addResult(
  { images, cache, collaborators }: OpRunnerParts,
  scope: BuildScope,
  result: OpCall & {
    readonly parent: ChainId | undefined;
    /** No file of it is younger than the epoch. A folder is taken. */
    readonly layer: AsyncIterable<Uint8Array> | WrittenFolder;
    /** What a folder is always the same of; absent: doing it again may give another. */
    readonly madeOf?: string;
  },
): Promise<BuildState> {
  const { parent, layer, madeOf, run, vertex } = result;
  const options = { ...(parent !== undefined && { parent }), signal: run.signal };
  const held: HeldLayer | undefined =
    Symbol.asyncIterator in layer
      ? await images.layers.add(layer, options)
      : await images.layers.make(layer, { ...options, ...(madeOf !== undefined && { madeOf }) });
  if (held !== undefined) hold(scope, held);
  collaborators.reach("build.made");
  const chainId = held?.layer.chainId ?? parent;
  if (run.key !== undefined) {
    cache.put({
      key: run.key,
      ...(chainId !== undefined && { chainId }),
      ...(parent !== undefined && { parent }),
      description: describeVertex(vertex),
    });
  }
  collaborators.reach("build.noted");
  return { kind: "files", ...(chainId !== undefined && { chainId }) };
}
