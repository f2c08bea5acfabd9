import type { Platform } from "@hawser/oci";
import { protocolFaults } from "./faults.ts";
import { readDockerfileOptions } from "./frontend-options.ts";
import type { Definition } from "./generated/llb_pb.ts";
import type { PassedResults } from "./passed-results.ts";
import type { BuildWork, PlannedResult } from "./ports.ts";

/** A source, and the front end that is to make something of it. */
export interface SourceRequest {
  readonly frontend: string;
  readonly options: Readonly<Record<string, string>>;
  /** What the source builds on, by name. */
  readonly inputs: Readonly<Record<string, Definition>>;
}

/** What a front end of this builder's makes of a source. @throws {Fault} */
export async function planSource(
  work: BuildWork,
  { frontend, options, inputs }: SourceRequest,
  {
    passed,
    host,
    isOneOfSeveral = false,
  }: { readonly passed: PassedResults; readonly host: Platform; readonly isOneOfSeveral?: boolean },
): Promise<PlannedResult> {
  if (frontend !== "dockerfile.v0") {
    throw protocolFaults.CALL_UNKNOWN(`the front end ${JSON.stringify(frontend)}`);
  }
  const read = readDockerfileOptions(options, host);
  const results = new Map<string, PlannedResult>();
  for (const [name, definition] of Object.entries(inputs)) {
    results.set(name, passed.find(definition) ?? (await planGraph(work, definition, passed)));
  }
  return await work.planDockerfile({ ...read, isOneOfSeveral }, results);
}

/** A graph of a client's, or one that stands for a result. @throws {Fault} as `BuildWork.planDefinition` */
export async function planGraph(
  work: BuildWork,
  definition: Definition,
  passed: PassedResults,
): Promise<PlannedResult> {
  return await work.planDefinition(definition, (id) => passed.get(id));
}
