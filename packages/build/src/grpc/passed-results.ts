import { createHash } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { protocolFaults } from "./faults.ts";
import { type Definition, DefinitionSchema, OpSchema } from "./generated/llb_pb.ts";
import type { PlannedResult } from "./ports.ts";

/** Of so many results the name is known, whatever has become of their builds. */
const maxResults = 256;

const scheme = "hawser-result://";

/**
 * Results that a client passes from one build to another (bake's `contexts = { base = "target:base" }`): it gets a graph of one
 * source for each, which only this builder understands, and hands it back as an input.
 */
export class PassedResults {
  readonly #results = new Map<string, PlannedResult>();

  /** A graph that stands for a result. */
  describe(id: string, result: PlannedResult): Definition {
    this.#results.set(id, result);
    for (const oldest of this.#results.keys()) {
      if (this.#results.size <= maxResults) break;
      this.#results.delete(oldest);
    }
    const source = { case: "source", value: { identifier: `${scheme}${id}` } } as const;
    const op = toBinary(OpSchema, create(OpSchema, { op: source }));
    const end = toBinary(OpSchema, create(OpSchema, { inputs: [{ digest: digestOf(op) }] }));
    const metadata = { [digestOf(op)]: {}, [digestOf(end)]: {} };
    return create(DefinitionSchema, { def: [op, end], metadata });
  }

  /** The result that a graph stands for. @throws {Fault} `not-found`, `not-implemented` for another graph */
  find({ def }: Definition): PlannedResult {
    for (const bytes of def) {
      const { op } = fromBinary(OpSchema, bytes);
      if (op.case !== "source" || !op.value.identifier.startsWith(scheme)) continue;
      const id = op.value.identifier.slice(scheme.length);
      const result = this.#results.get(id);
      if (result === undefined) throw protocolFaults.RESULT_MISSING(id);
      return result;
    }
    throw protocolFaults.CALL_UNKNOWN("a graph that the client made itself, as an input,");
  }
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
