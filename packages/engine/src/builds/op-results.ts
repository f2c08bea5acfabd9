import { createHash } from "node:crypto";
import type { Vertex } from "@hawser/build";
import type { ChainId } from "@hawser/oci";
import { type HeldLayer, readFiles, type WrittenFolder } from "@hawser/store";
import type { BuildState } from "./build-state.ts";
import { sentFiles } from "./layer-times.ts";
import { describeVertex, keyOfVertex, resultKeys } from "./op-keys.ts";
import type { BuildScope, OpCall, OpRunnerParts } from "./op-scope.ts";
import { type SealOptions, sealState } from "./seal-result.ts";

/** As `keyOfVertex`, for the inputs that there are. */
export function keyOfInputs(
  vertex: Vertex,
  inputs: readonly BuildState[],
  scope: BuildScope,
): string | undefined {
  return keyOfVertex(vertex, keyedInputs(vertex, inputs), scope);
}

interface Wanted {
  readonly key: string;
  readonly vertex: Vertex;
  readonly inputs: readonly BuildState[];
  readonly signal: AbortSignal;
}

/** A kept result: of this builder's, else of another one's. */
export async function findResult(
  parts: OpRunnerParts,
  scope: BuildScope,
  wanted: Wanted,
): Promise<BuildState | undefined> {
  const { key, vertex } = wanted;
  const states: BuildState[] = [];
  for (const [at, own] of resultKeys(key, vertex.op).entries()) {
    const record = parts.cache.use(own);
    const chainId = record === undefined ? await findShared(parts, scope, { ...wanted, at }) : record.chainId;
    if (record === undefined && chainId === undefined) return undefined;
    states.push(keep(parts, scope, chainId));
  }
  return stateOf(states);
}

/**
 * A result of another builder, to whom that which it was made of is known by its digest alone.
 *
 * @param wanted.at which of the vertex' results
 */
async function findShared(
  parts: OpRunnerParts,
  scope: BuildScope,
  { key, vertex, inputs, signal, at }: Wanted & { readonly at: number },
): Promise<ChainId | undefined> {
  const { imported } = scope;
  if (imported === undefined || !(await imported.hasAny())) return undefined;
  const options = sealingOf(parts, scope, signal);
  const sealed = await Promise.all(inputs.map((input) => sealState(input, options)));
  const nameOf = (one: string) => resultKeys(one, vertex.op)[at] ?? one;
  const shared = nameOf(keyOfInputs(vertex, sealed, scope) ?? key);
  return await imported.find({ own: nameOf(key), shared }, describeVertex(vertex));
}

/** Layers that are sealed for a build are kept for it. */
export function sealingOf({ images }: OpRunnerParts, scope: BuildScope, signal: AbortSignal): SealOptions {
  return { images, signal, hold: (held) => hold(scope, held) };
}

/** What another build has come to, as one's own. */
export function adopt(parts: OpRunnerParts, scope: BuildScope, state: BuildState): BuildState {
  switch (state.kind) {
    case "files":
      return keep(parts, scope, state.chainId);
    case "several":
      return { kind: "several", states: state.states.map((one) => adopt(parts, scope, one)) };
    case "context":
      return state;
  }
}

/** The results of an op that has one or several. */
export function stateOf(states: readonly BuildState[]): BuildState {
  const [only] = states;
  return only !== undefined && states.length === 1 ? only : { kind: "several", states };
}

/** The inputs in the vertex' own order: an empty file system has no vertex. */
export function keyedInputs(
  vertex: Vertex,
  inputs: readonly BuildState[],
): readonly (BuildState | undefined)[] {
  const rest = [...inputs];
  return vertex.inputs.map((input) => (input === undefined ? undefined : rest.shift()));
}

/** Layers as a result; they are kept for the build. */
export function keep({ images }: OpRunnerParts, scope: BuildScope, chainId: ChainId | undefined): BuildState {
  if (chainId === undefined) return { kind: "files" };
  hold(scope, images.layers.hold(chainId));
  return { kind: "files", chainId };
}

/** Keep a layer for the build. One that has ended while others want its work needs it no more. */
function hold({ holds }: BuildScope, held: Disposable): void {
  if (holds.disposed) held[Symbol.dispose]();
  else holds.use(held);
}

/** Have the files here that a state is of. */
export async function receive({ imported }: BuildScope, state: BuildState | undefined): Promise<void> {
  if (state?.kind === "files") await imported?.receive(state.chainId);
  if (state?.kind === "several") {
    for (const one of state.states) if (one.kind === "files") await imported?.receive(one.chainId);
  }
}

/** When a result's youngest file is made, so that the same work gives the same bytes whenever it is done. */
export const latestNsOf = ({ epochOf }: BuildScope, vertex: Vertex) => BigInt(epochOf(vertex)) * 1_000_000n;

/** A layer and those below it, lowest first. */
export function layersOf({ images }: OpRunnerParts, chainId: ChainId | undefined): readonly ChainId[] {
  return images.layers.chain(chainId).map((layer) => layer.chainId);
}

/** Layers of a result that is files. */
export function filesChain(state: BuildState | undefined): ChainId | undefined {
  return state?.kind === "files" ? state.chainId : undefined;
}

/** Layers that are there in another order. They cost nothing. */
export function addStack(
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
export async function chainOf(
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

/** Make a layer of what an op has made, and keep it as the result under the op's key. */
export async function addResult(
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
