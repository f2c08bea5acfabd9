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
  const fault = faultInBuildkitsWords(Fault.from(error).message);
  if (fault === undefined) return error;
  const range = rangeOf(error);
  return range === undefined ? fault.because(error) : withRange(fault.because(error), range);
}

function faultInBuildkitsWords(message: string): Fault | undefined {
  const [, command, code] = /^The command '(.*)' returned a non-zero code: (\d+)$/s.exec(message) ?? [];
  if (command !== undefined && code !== undefined) return buildFaults.PROCESS_ENDED(command, code);
  const [, path] = /^COPY failed: file not found in .*: stat (.*): file does not exist$/s.exec(message) ?? [];
  return path === undefined ? undefined : buildFaults.CHECKSUM_MISSING(`/${path}`);
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
