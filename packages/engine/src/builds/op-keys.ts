import { createHash } from "node:crypto";
import { shownUrl } from "@hawser/base";
import type { FileAction, Op, Vertex } from "@hawser/build";
import type { HostConfig } from "@hawser/runtime";
import { type BuildState, identityOf } from "./build-state.ts";
import { digestOfSources } from "./copy-files.ts";

/**
 * What the result of a vertex is kept under: whatever can make a difference to it and nothing else. `undefined`: it is not kept.
 *
 * @param inputs in the vertex' own order
 */
export function keyOfVertex(
  vertex: Vertex,
  inputs: readonly (BuildState | undefined)[],
  scope: { readonly epochOf: (vertex: Vertex) => number; readonly limits: Partial<HostConfig> },
): string | undefined {
  const { op } = vertex;
  if (unkept.has(op.kind)) return undefined;
  const told = {
    op: op.kind === "exec" ? { ...op, hiddenEnv: [] } : op,
    inputs: inputs.map((input, at) => {
      if (input?.kind === "context" && isWholeInput(op, at)) return `context ${input.context.digestOf("")}`;
      return input === undefined ? "scratch" : identityOf(input);
    }),
    epochMs: scope.epochOf(vertex),
    sources: sourcesDigest(vertex, inputs),
    ...(op.kind === "exec" && { limits: scope.limits }),
    ...(op.kind === "copy" && { version: copyVersion }),
  };
  return createHash("sha256").update(JSON.stringify(told)).digest("hex");
}

/** Another one where the same copy gives other files than before: what an older engine has kept is no answer then. */
const copyVersion = 3;

/** Ops whose results are not kept under a key: where they come from is asked each time, or costs nothing. */
const unkept: ReadonlySet<Op["kind"]> = new Set(["local", "image", "git", "http", "build", "output"]);

/** What the results of an op are kept under. */
export function resultKeys(key: string, op: Op): readonly string[] {
  const count = op.kind === "exec" ? (op.outputs?.length ?? 1) : 1;
  return count === 1 ? [key] : Array.from({ length: count }, (_, index) => `${key}.${index}`);
}

/** Whether all files of an input make a difference, not only those that the op names. */
function isWholeInput(op: Op, at: number): boolean {
  return at === 0 || op.kind === "merge" || op.kind === "diff";
}

function sourcesDigest({ op }: Vertex, inputs: readonly (BuildState | undefined)[]): string {
  if (op.kind === "copy") return digestOfSources(op, inputs);
  if (op.kind === "file") return op.actions.map((action) => digestOfAction(action, inputs)).join();
  if (op.kind !== "exec") return "";
  return op.mounts
    .map((mount, number) => {
      if (mount.kind !== "bind") return "";
      const input = inputs[mount.input];
      if (input?.kind !== "context") return "";
      if (op.outputs?.includes(number) === true) return input.context.digestOf("");
      return input.context.digestOf(input.context.resolve(mount.source));
    })
    .join(";");
}

/** What a copy takes of a user's files, and what it is called; all of it where nothing is found. */
function digestOfAction(action: FileAction, inputs: readonly (BuildState | undefined)[]): string {
  const input = action.kind === "copy" ? inputs[action.input] : undefined;
  if (action.kind !== "copy" || input?.kind !== "context") return "";
  const { context } = input;
  const paths = context.find(action.source);
  if (paths.length === 0) return context.digestOf("");
  return paths
    .map((path) => {
      const read = action.followsLinks ? context.follow(path) : path;
      return `${path}\0${context.digestOf(read ?? "")}`;
    })
    .join();
}

/** What lists of kept results say of it. */
export function describeVertex({ op }: Vertex): string {
  switch (op.kind) {
    case "exec":
      return `exec ${op.args.join(" ")}`.slice(0, maxDescriptionChars);
    case "copy":
      return `copy to ${op.target}`.slice(0, maxDescriptionChars);
    case "make-folder":
      return `mkdir ${op.path}`.slice(0, maxDescriptionChars);
    case "file":
      return op.actions.map(describeAction).join(", ").slice(0, maxDescriptionChars);
    case "http":
      return `http ${shownUrl(op.url)}`.slice(0, maxDescriptionChars);
    default:
      return op.kind;
  }
}

function describeAction(action: FileAction): string {
  return action.kind === "copy" ? `copy to ${action.target}` : `${action.kind} ${action.path}`;
}

const maxDescriptionChars = 1000;
