import { create, toBinary } from "@bufbuild/protobuf";
import { resultScheme } from "../llb/plan-source.ts";
import { digestOf, readDefinition } from "../llb/read-definition.ts";
import { protocolFaults } from "./faults.ts";
import { type Definition, DefinitionSchema, OpSchema } from "./generated/llb_pb.ts";
import type { PlannedResult } from "./ports.ts";

/** Of so many results the name is known, whatever has become of their builds. */
const maxResults = 256;

/**
 * Results that a client passes on, from one build to another (bake's `contexts = { base = "target:base" }`) or into a graph of its
 * own: a result of a graph is described by that graph, another one by a graph of one source, which only this builder understands.
 */
export class PassedResults {
  readonly #results = new Map<string, PlannedResult>();

  /** A graph that stands for a result. */
  describe(id: string, result: PlannedResult): Definition {
    if (result.definition !== undefined) return result.definition;
    this.#results.set(id, result);
    for (const oldest of this.#results.keys()) {
      if (this.#results.size <= maxResults) break;
      this.#results.delete(oldest);
    }
    const source = { case: "source", value: { identifier: `${resultScheme}${id}` } } as const;
    const op = toBinary(OpSchema, create(OpSchema, { op: source }));
    const end = toBinary(OpSchema, create(OpSchema, { inputs: [{ digest: digestOf(op) }] }));
    const metadata = { [digestOf(op)]: {}, [digestOf(end)]: {} };
    return create(DefinitionSchema, { def: [op, end], metadata });
  }

  /** The result that a source stands for. @throws {Fault} `not-found` */
  get(id: string): PlannedResult {
    const result = this.#results.get(id);
    if (result === undefined) throw protocolFaults.RESULT_MISSING(id);
    return result;
  }

  /** The result that a graph is when it stands for one of another kind; else `undefined`. @throws {Fault} `not-found` */
  find(definition: Definition): PlannedResult | undefined {
    const graph = readDefinition(definition);
    const [only, ...more] = graph?.ops ?? [];
    if (only?.op.case !== "source" || more.length > 0) return undefined;
    const { identifier } = only.op.value;
    return identifier.startsWith(resultScheme) ? this.get(identifier.slice(resultScheme.length)) : undefined;
  }
}
