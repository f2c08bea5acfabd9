import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { shownUrl } from "@hawser/base";
import type { ExecOp, HttpOp, OpRunner } from "@hawser/build";
import { type ChainId, parseChainId } from "@hawser/oci";
import { diskFault, type OverlayMount } from "@hawser/store";
import { createContainerId } from "../containers/names.ts";
import type { BuildState } from "./build-state.ts";
import { folderNameOf } from "./cache-mounts.ts";
import { type CopyInput, copyFiles, type FilesWork, makeFolder } from "./copy-files.ts";
import { diffTrees } from "./diff-trees.ts";
import { buildFaults } from "./faults.ts";
import { doFileAction } from "./file-actions.ts";
import { clampLayerTimes } from "./layer-times.ts";
import { netFile } from "./net-file.ts";
import { resultKeys } from "./op-keys.ts";
import {
  addResult,
  addStack,
  adopt,
  chainOf,
  filesChain,
  findResult,
  keep,
  keyedInputs,
  keyOfInputs,
  latestNsOf,
  layersOf,
  receive,
  sealingOf,
  stateOf,
} from "./op-results.ts";
import type { BuildScope, OpCall, OpRunnerParts } from "./op-scope.ts";
import { readSmallFile } from "./read-small-file.ts";
import { runProcess } from "./run-process.ts";
import { sealState } from "./seal-result.ts";

/** A way to do ops that knows a build: its files, its limits, its clock. */
export function createOpRunner(parts: OpRunnerParts, scope: BuildScope): OpRunner<BuildState> {
  return {
    cacheKey: async (vertex, inputs) => keyOfInputs(vertex, inputs, scope),
    find: (key, vertex, inputs, { signal }) => findResult(parts, scope, { key, vertex, inputs, signal }),
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
    web: parts.web,
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
  // Files of the user's that are written to, or that a process sees as its root, are a layer first.
  const whole = new Set([0, ...outputs.map(inputOf)]);
  const inputs = await Promise.all(
    call.inputs.map(async (input, at): Promise<BuildState | undefined> => {
      if (input === undefined) return input;
      if (input.kind === "context" && whole.has(at))
        return keep(parts, scope, await chainOf(parts, scope, { ...call, input }));
      // A cache is found again by what it begins with, whoever has made that.
      const isCaches = op.mounts.some((mount) => mount.kind === "cache" && mount.files?.input === at);
      return isCaches ? await sealState(input, sealingOf(parts, scope, run.signal)) : input;
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
