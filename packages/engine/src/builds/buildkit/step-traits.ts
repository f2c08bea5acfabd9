import { Fault } from "@hawser/base";
import { rangeOf, type Vertex, withRange } from "@hawser/build";
import type { DockerfileOptions } from "@hawser/build/grpc";
import { buildFaults } from "../faults.ts";
import type { PlannedImage } from "../image-build.ts";

/** What a step that loads a folder of the client's is called. */
export function titleOf(folder: string): string {
  return folder === "context" ? "[internal] load build context" : `[context ${folder}] load`;
}

/** What the classic builder says otherwise. */
export function inBuildkitsWords(error: unknown): unknown {
  const [, command, code] =
    /^The command '(.*)' returned a non-zero code: (\d+)$/s.exec(Fault.from(error).message) ?? [];
  if (command === undefined || code === undefined) return error;
  const range = rangeOf(error);
  const fault = buildFaults.PROCESS_ENDED(command, code).because(error);
  return range === undefined ? fault : withRange(fault, range);
}

/** `--no-cache` and `--no-cache-filter`. */
export function ignoredVertices(
  { plan }: PlannedImage,
  { noCache }: DockerfileOptions,
): (vertex: Vertex) => boolean {
  if (noCache === "all") return () => true;
  const stages = new Set(noCache.map((name) => name.toLowerCase()));
  const ignored = new Set(
    plan.steps.flatMap(({ stage, vertex }) =>
      vertex !== undefined && (stages.has(stage.name.toLowerCase()) || stages.has(String(stage.index)))
        ? [vertex.digest]
        : [],
    ),
  );
  return ({ digest }) => ignored.has(digest);
}
