import { Fault, goQuote } from "@hawser/base";
import { type Op, reworded, type Vertex } from "@hawser/build";
import type { DockerfileOptions } from "@hawser/build/grpc";
import type { PlannedImage } from "../image-build.ts";

/** What a step that loads a folder of the client's is called. */
export function titleOf(folder: string): string {
  return folder === "context" ? "[internal] load build context" : `[context ${folder}] load`;
}

const told = new WeakMap<Fault, Fault>();

/**
 * What the classic builder says otherwise. A fault that was asked about with its op is told so again.
 *
 * @param op that has failed
 */
export function inBuildkitsWords(error: unknown, op?: Op): unknown {
  if (!Fault.is(error)) return error;
  const known = told.get(error);
  if (known !== undefined) return known;
  const words = wordsOf(error.message, op);
  if (words === undefined) return error;
  const fault = reworded(error, words);
  told.set(error, fault);
  return fault;
}

function wordsOf(message: string, op: Op | undefined): string | undefined {
  const [, command, code] = /^The command '(.*)' returned a non-zero code: (\d+)$/s.exec(message) ?? [];
  if (command !== undefined) return processFailed(command, `exit code: ${code}`);
  const [, path] = /^COPY failed: file not found in .*: stat (.*): file does not exist$/s.exec(message) ?? [];
  if (path !== undefined)
    return `failed to compute cache key: failed to calculate checksum of ref context: ${goQuote(`/${path}`)}: not found`;
  const [, copied] = /^COPY failed: stat (.*): file does not exist$/s.exec(message) ?? [];
  if (copied !== undefined) return `lstat /${copied}: no such file or directory`;
  const [, why] = /^ADD failed: cannot get .*?: (Get ".*)$/s.exec(message) ?? [];
  if (why !== undefined) return `failed to load cache key: ${why}`;
  if (op?.kind !== "exec") return undefined;
  if (startProblem(message) !== undefined) return processFailed(op.args.join(" "), "exit code: 1");
  const isOfProcess = /^open .*: no such file or directory$|^unable to find (user|group) /s.test(message);
  return isOfProcess ? processFailed(op.args.join(" "), message) : undefined;
}

function processFailed(command: string, why: string): string {
  return `process ${goQuote(command)} did not complete successfully: ${why}`;
}

/** Why a runtime has not begun a process: BuildKit shows it as the process' output. */
export function startProblem(message: string): string | undefined {
  return /^failed to create task for container: .*?OCI runtime create failed: (.*?)(?:: unknown)?$/s.exec(
    message,
  )?.[1];
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
