import { fromBinary } from "@bufbuild/protobuf";
import type { Platform } from "@hawser/oci";
import { type Definition, DefinitionSchema } from "../grpc/generated/llb_pb.ts";
import { createVertex, type Vertex } from "../plan/vertex.ts";
import type { BaseImage } from "../planner/build-request.ts";
import { invalid, llbFaults } from "./faults.ts";
import { opName } from "./op-name.ts";
import { planExec } from "./plan-exec.ts";
import { planFile } from "./plan-file.ts";
import { planSource } from "./plan-source.ts";
import { type DefinedOp, type OpResult, readDefinition } from "./read-definition.ts";

export interface DefinitionPorts {
  /** @throws {Fault} `not-found` */
  resolveImage(
    reference: string,
    options: { readonly platform?: Platform; readonly pull: boolean },
  ): Promise<BaseImage>;
  /** What another build has made, by the name that a client was told. @throws {Fault} `not-found` */
  resolveResult(id: string): Promise<{ readonly chainId?: string | undefined; readonly epochMs: number }>;
  /** What the graph may do beyond its sandbox: `network.host`, `security.insecure`. */
  readonly entitlements: readonly string[];
  readonly signal: AbortSignal;
}

/** An op as its client knows it. */
export interface DefinedStep {
  readonly digest: string;
  readonly name: string;
  readonly inputs: readonly string[];
  /** Digests of the vertices that do it. */
  readonly vertices: readonly string[];
}

/** What a graph of a client's comes to. */
export interface DefinitionPlan {
  /** The result; `undefined`: an empty file system. */
  readonly root: Vertex | undefined;
  readonly steps: readonly DefinedStep[];
  /** Digests of vertices whose kept results are not to be used. */
  readonly ignored: ReadonlySet<string>;
  /** By digests of vertices: no file of the result is younger. */
  readonly epochs: ReadonlyMap<string, number>;
}

/**
 * A graph in LLB as vertices. Images are looked for, all at once; nothing is executed.
 *
 * @throws {Fault} `invalid-argument` for what no client of BuildKit makes, `permission-denied`, `not-implemented`; what the
 *   ports throw
 */
export async function planDefinition(
  definition: Definition,
  ports: DefinitionPorts,
): Promise<DefinitionPlan> {
  const graph = readDefinition(definition);
  if (graph === undefined) return { root: undefined, steps: [], ignored: new Set(), epochs: new Map() };
  const plan = new Planner(ports);
  await plan.findSources(graph.ops);
  for (const op of graph.ops) plan.add(op);
  const root = plan.resultOf(graph.result);
  return { root, steps: plan.steps, ignored: plan.ignored, epochs: plan.epochs };
}

/** A graph as a file has it. @throws {Fault} `invalid-argument` */
export function readDefinitionBytes(bytes: Uint8Array): Definition {
  try {
    return fromBinary(DefinitionSchema, bytes);
  } catch (error) {
    throw invalid("it is no protobuf message of that kind").because(error);
  }
}

class Planner {
  readonly #ports: DefinitionPorts;
  readonly #results = new Map<string, readonly (Vertex | undefined)[]>();
  readonly #sources = new Map<string, Awaited<ReturnType<typeof planSource>>>();
  readonly #names = new Map<string, string>();
  readonly steps: DefinedStep[] = [];
  readonly ignored = new Set<string>();
  readonly epochs = new Map<string, number>();

  constructor(ports: DefinitionPorts) {
    this.#ports = ports;
  }

  async findSources(ops: readonly DefinedOp[]): Promise<void> {
    await Promise.all(
      ops.map(async ({ op, digest, platform }) => {
        if (op.case === "source")
          this.#sources.set(digest, await planSource(op.value, platform, this.#ports));
      }),
    );
    this.#ports.signal.throwIfAborted();
  }

  add(defined: DefinedOp): void {
    const { digest, inputs } = defined;
    const states = inputs.map((input) => this.resultOf(input));
    const results = this.#plan(defined, states);
    this.#results.set(digest, results);
    const name = opName(defined, (other) => this.#names.get(other) ?? "");
    this.#names.set(digest, name);
    const vertices = ownVertices(results, new Set(states));
    const epochMs = Math.max(
      this.#sources.get(digest)?.epochMs ?? 0,
      ...states.map((state) => (state === undefined ? 0 : (this.epochs.get(state.digest) ?? 0))),
    );
    for (const vertex of vertices) {
      this.epochs.set(vertex.digest, Math.max(epochMs, latestTimeOf(vertex)));
      if (defined.ignoresCache) this.ignored.add(vertex.digest);
    }
    this.steps.push({
      digest,
      name,
      inputs: inputs.map((input) => input.digest),
      vertices: vertices.filter(({ op }) => op.kind !== "output").map((vertex) => vertex.digest),
    });
  }

  /** @throws {Fault} `invalid-argument` */
  resultOf({ digest, index }: OpResult): Vertex | undefined {
    const results = this.#results.get(digest);
    if (results === undefined || index >= results.length)
      throw invalid(`there is no result ${index} of ${digest}`);
    return results[index];
  }

  #plan({ op, digest }: DefinedOp, inputs: readonly (Vertex | undefined)[]): readonly (Vertex | undefined)[] {
    const inputAt = (number: bigint | undefined) => {
      if (number === undefined || number < -1n || number >= inputs.length)
        throw invalid(`there is no input ${number}`);
      return inputs[Number(number)];
    };
    switch (op.case) {
      case "source":
        if (inputs.length > 0) throw invalid("a source has inputs");
        return [this.#sources.get(digest)?.vertex];
      case "exec":
        return planExec(op.value, inputs, this.#ports.entitlements);
      case "file":
        return planFile(op.value, inputs);
      case "merge": {
        const merged = op.value.inputs.map(({ input }) => inputAt(input));
        const there = merged.filter((input) => input !== undefined);
        // Nothing above or below changes nothing.
        return there.length < 2 ? [there[0]] : [createVertex({ kind: "merge" }, there)];
      }
      case "diff": {
        const lower = inputAt(op.value.lower?.input);
        const upper = inputAt(op.value.upper?.input);
        return [lower === undefined ? upper : createVertex({ kind: "diff" }, [lower, upper])];
      }
      case "build": {
        const input = op.value.inputs[definitionInput];
        if (op.value.builder !== -1n) throw llbFaults.DEFINITION_FOREIGN("a build op of another builder");
        if (input === undefined) throw invalid("a build op has no definition");
        const path = op.value.attrs["llbbuild.filename"] || definitionInput;
        return [createVertex({ kind: "build", path }, [inputAt(input.input)])];
      }
      case undefined:
        throw invalid("an op is of no known kind");
    }
  }
}

/** The input of a build op that has its graph, and the file that it is in where it does not say. */
const definitionInput = "buildkit.llb.definition";

/** The vertices that are new in an op: what its results need, down to what was there. */
function ownVertices(
  results: readonly (Vertex | undefined)[],
  there: ReadonlySet<Vertex | undefined>,
): readonly Vertex[] {
  const found = new Set<Vertex>();
  const open = [...results];
  for (let at = 0; at < open.length; at++) {
    const vertex = open[at];
    if (vertex === undefined || there.has(vertex) || found.has(vertex)) continue;
    found.add(vertex);
    open.push(...vertex.inputs);
  }
  return [...found];
}

/** The latest time that an op itself gives to files. */
function latestTimeOf({ op }: Vertex): number {
  if (op.kind !== "file") return 0;
  return op.actions.reduce((latest, action) => {
    const timeNs = "timeNs" in action && action.timeNs !== undefined ? BigInt(action.timeNs) : 0n;
    return Math.max(latest, Math.ceil(Number(timeNs / 1_000_000n)) + (timeNs % 1_000_000n > 0n ? 1 : 0));
  }, 0);
}
