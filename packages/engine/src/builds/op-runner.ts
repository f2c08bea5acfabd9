import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { OpRun, OpRunner, Vertex } from "@hawser/build";
import { type ChainId, parseChainId } from "@hawser/oci";
import type { ContainerConfig, HostConfig } from "@hawser/runtime";
import {
  type BuildCache,
  type HeldLayer,
  type ImageStore,
  type OverlayMount,
  readFiles,
} from "@hawser/store";
import type { Collaborators } from "../containers/collaborators.ts";
import { createContainerId } from "../containers/names.ts";
import type { BuildContext } from "./build-context.ts";
import { type BuildState, identityOf } from "./build-state.ts";
import { type CopyInput, copyFiles, digestOfSources, type FilesWork, makeFolder } from "./copy-files.ts";
import { clampLayerTimes } from "./layer-times.ts";
import { runProcess } from "./run-process.ts";

export interface OpRunnerParts {
  readonly collaborators: Collaborators;
  readonly images: ImageStore;
  readonly cache: BuildCache;
  readonly defaults: { readonly config: ContainerConfig; readonly hostConfig: HostConfig };
  /** Folder of builds: caches of processes, and what a build needs while it goes. */
  readonly folder: string;
}

/** What whoever asks for a build gives it. Each is asked for when it is needed. */
export interface BuildFiles {
  /** Files of the user's, by the name that the plan has for them. */
  folder(name: string): Promise<BuildContext>;
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
  /** No file of a result is younger. */
  readonly epochMs: number;
  readonly limits: Partial<HostConfig>;
  readonly onContainer: (vertex: Vertex, id: string) => void;
  /** Layers of the build's results, kept from collection until the build is over. */
  readonly holds: DisposableStack;
}

/** A way to do ops that knows a build: its files, its limits, its clock. */
export function createOpRunner(parts: OpRunnerParts, scope: BuildScope): OpRunner<BuildState> {
  return {
    async cacheKey(vertex, inputs) {
      const { op } = vertex;
      if (op.kind === "local" || op.kind === "image" || op.kind === "git") return undefined;
      const told = {
        op: op.kind === "exec" ? { ...op, hiddenEnv: [] } : op,
        inputs: keyedInputs(vertex, inputs).map((input) =>
          input === undefined ? "scratch" : identityOf(input),
        ),
        epochMs: scope.epochMs,
        sources: sourcesDigest(vertex, keyedInputs(vertex, inputs)),
        ...(op.kind === "exec" && { limits: scope.limits }),
      };
      return createHash("sha256").update(JSON.stringify(told)).digest("hex");
    },
    async find(key) {
      const record = parts.cache.use(key);
      if (record === undefined) return undefined;
      return keep(parts, scope, record.chainId);
    },
    execute: (vertex, inputs, run) =>
      execute(parts, scope, { vertex, inputs: keyedInputs(vertex, inputs), run }),
    adopt: (state) => (state.kind === "files" ? keep(parts, scope, state.chainId) : state),
  };
}

/** The inputs in the vertex' own order: an empty file system has no vertex. */
function keyedInputs(vertex: Vertex, inputs: readonly BuildState[]): readonly (BuildState | undefined)[] {
  const rest = [...inputs];
  return vertex.inputs.map((input) => (input === undefined ? undefined : rest.shift()));
}

function sourcesDigest({ op }: Vertex, inputs: readonly (BuildState | undefined)[]): string {
  if (op.kind === "copy") return digestOfSources(op, inputs);
  if (op.kind !== "exec") return "";
  return op.mounts
    .map((mount) => {
      const input = mount.kind === "bind" ? inputs[mount.input] : undefined;
      if (mount.kind !== "bind" || input?.kind !== "context") return "";
      return input.context
        .select(mount.source)
        .map((path) => input.context.digestOf(path))
        .join();
    })
    .join(";");
}

function keep({ images }: OpRunnerParts, scope: BuildScope, chainId: ChainId | undefined): BuildState {
  if (chainId === undefined) return { kind: "files" };
  hold(scope, images.holdLayer(chainId));
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
  switch (op.kind) {
    case "image":
      return keep(parts, scope, op.chainId === undefined ? undefined : parseChainId(op.chainId));
    case "local":
      return { kind: "context", context: await scope.files.folder(op.name) };
    case "git":
      return { kind: "context", context: await scope.files.repository(op.reference, op) };
    case "exec": {
      const parent = parentOf(call);
      const runDir = join(parts.folder, "run", createContainerId(parts.collaborators.host.randomBytes));
      try {
        return await runProcess(
          parts.collaborators,
          {
            op,
            parent,
            work: {
              ...call.run,
              defaults: parts.defaults,
              limits: scope.limits,
              files: scope.files,
              cacheDir: join(parts.folder, "cache"),
              runDir,
              inputs: call.inputs,
              onContainer: (id) => scope.onContainer(call.vertex, id),
            },
          },
          (layer) => addResult(parts, scope, { ...call, parent, layer }),
        );
      } finally {
        await rm(runDir, { recursive: true, force: true });
      }
    }
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
  }
}

function parentOf({ inputs: [below] }: OpCall): ChainId | undefined {
  return below?.kind === "files" ? below.chainId : undefined;
}

function copyInput({ collaborators }: OpRunnerParts, input: BuildState | undefined): CopyInput | undefined {
  if (input === undefined || input.kind === "context") return input;
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
  const parent = parentOf(call);
  const key = `build-${createContainerId(host.randomBytes)}`;
  const overlay: OverlayMount = await snapshots.prepare(key, parent);
  try {
    await change({ overlay, epochMs: scope.epochMs, signal });
    const layer = readFiles(
      { kind: "folder", path: overlay.upper },
      { kind: "layer", leaveOut: [] },
      { signal },
    );
    return await addResult(parts, scope, { ...call, parent, layer });
  } finally {
    await snapshots.remove(key);
  }
}

async function addResult(
  { images, cache }: OpRunnerParts,
  scope: BuildScope,
  result: OpCall & {
    readonly parent: ChainId | undefined;
    readonly layer: AsyncIterable<Uint8Array>;
  },
): Promise<BuildState> {
  const { parent, layer, run, vertex } = result;
  const held: HeldLayer | undefined = await images.addLayer(clampLayerTimes(layer, scope.epochMs), {
    ...(parent !== undefined && { parent }),
    signal: run.signal,
  });
  const chainId = held?.layer.chainId ?? parent;
  if (run.key !== undefined) {
    cache.put({
      key: run.key,
      ...(chainId !== undefined && { chainId }),
      ...(parent !== undefined && { parent }),
      description: describe(vertex),
    });
  }
  if (held !== undefined) hold(scope, held);
  return { kind: "files", ...(chainId !== undefined && { chainId }) };
}

function describe({ op }: Vertex): string {
  switch (op.kind) {
    case "exec":
      return `exec ${op.args.join(" ")}`.slice(0, maxDescriptionChars);
    case "copy":
      return `copy to ${op.target}`.slice(0, maxDescriptionChars);
    case "make-folder":
      return `mkdir ${op.path}`.slice(0, maxDescriptionChars);
    default:
      return op.kind;
  }
}

const maxDescriptionChars = 1000;
