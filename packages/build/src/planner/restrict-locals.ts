import { posix } from "node:path";
import { createVertex, type LocalOp, type Op, type Vertex, verticesBelow } from "../plan/vertex.ts";
import type { ScannedFiles } from "./scanned.ts";
import type { PlannedHistory, Step } from "./stage.ts";

interface Graph {
  readonly root: Vertex | undefined;
  readonly history: readonly PlannedHistory[];
  readonly scanned: readonly ScannedFiles[];
  readonly steps: readonly Step[];
}

/**
 * The same plan, in which each folder of the user's says which paths of it are used, so that its client sends no others; one that
 * all of is used says nothing. BuildKit's `ctxPaths`, in its `frontend/dockerfile/dockerfile2llb/convert.go`.
 */
export function restrictLocals<Plan extends Graph>(plan: Plan): Plan {
  const { root, history, scanned, steps } = plan;
  const roots = [root, ...scanned.map((files) => files.root)];
  const vertices = verticesBelow(roots);
  /** Paths by digests of folders; what is a result itself is used whole. */
  const used = new Map<string, string[]>(roots.map((one) => [one?.digest ?? "", ["/"]]));
  for (const { op, inputs } of vertices) {
    for (const [at, input] of inputs.entries()) {
      if (input?.op.kind !== "local") continue;
      used.set(input.digest, [...(used.get(input.digest) ?? []), ...pathsUsed(op, at)]);
    }
  }
  const made = new Map<string, Vertex>();
  const become = (vertex: Vertex | undefined) => vertex && (made.get(vertex.digest) ?? vertex);
  for (const { digest, op, inputs } of vertices) {
    const own = op.kind === "local" ? restricted(op, used.get(digest)) : op;
    made.set(digest, createVertex(own, inputs.map(become)));
  }
  const remake = <T extends { readonly vertex?: Vertex }>(one: T): T => {
    const vertex = become(one.vertex);
    return vertex === undefined ? one : { ...one, vertex };
  };
  return {
    ...plan,
    root: become(root),
    history: history.map(remake),
    scanned: scanned.map((files) => ({ ...files, root: become(files.root) })),
    steps: steps.map(remake),
  };
}

/** What an op uses of the files of one of its inputs. */
function pathsUsed(op: Op, input: number): readonly string[] {
  if (input > 0 && op.kind === "copy") {
    return op.sources.flatMap((source) =>
      source.kind === "path" && source.input === input ? [source.path] : [],
    );
  }
  if (input > 0 && op.kind === "exec") {
    return op.mounts.flatMap((mount) => {
      if (mount.kind === "bind" && mount.input === input) return [mount.source];
      return mount.kind === "cache" && mount.files?.input === input ? [mount.files.source] : [];
    });
  }
  return ["/"];
}

function restricted(op: LocalOp, paths: readonly string[] = []): LocalOp {
  const follow = new Set(paths.map(followPath));
  return follow.has("") ? op : { ...op, follow: [...follow].toSorted() };
}

/**
 * What a client is asked for so that it sends a path, perhaps with wildcards: that path, or a folder that it is in, where clients
 * would make something else of it than `COPY` does: to them it is a pattern of `.dockerignore`, to older ones nearly a regular
 * expression. Empty: all.
 */
function followPath(path: string): string {
  const parts = posix.normalize(`/${path}`).replace(/\/$/, "").split("/").slice(1);
  const wild = parts.findIndex((part) => /[*?[\\]/.test(part));
  const odd = wild < 0 ? -1 : parts.findIndex((part) => !simplePattern.test(part));
  const asked = (odd < 0 ? parts : parts.slice(0, Math.max(odd, wild))).join("/");
  return asked.startsWith("!") || asked.trim() !== asked ? "" : asked;
}

const simplePattern = /^(?:\*\*|(?:[^*[\](){}|+^$\\]|\*(?!\*)|\[\^?[\w.-]+\])*)$/;
