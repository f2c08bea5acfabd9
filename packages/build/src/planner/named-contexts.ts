import { parseGoBool } from "@hawser/base";
import { formatFamiliar, parseReference } from "@hawser/oci";
import { createVertex, type Vertex } from "../plan/vertex.ts";
import type { PlanRequest } from "./build-request.ts";
import { nameOfUrl, placeOf } from "./plan-copy.ts";

/** The name of a context for what a Dockerfile calls so: `docker.io/library/a:latest` and `a` are one (BuildKit's `namedContext`). */
export function contextKey(name: string): string {
  try {
    return formatFamiliar(parseReference(name.toLowerCase())).replace(/:latest$/, "");
  } catch {
    return name;
  }
}

/** The files that a context is; `undefined`: it is an image, or the result of a build. */
export function filesOf(context: string, { buildArgs }: PlanRequest): Vertex | undefined {
  const folder = /^local:(.+)$/.exec(context)?.[1];
  if (folder !== undefined) return createVertex({ kind: "local", name: folder });
  switch (placeOf(context)) {
    case "git":
      return createVertex({ kind: "git", reference: context, keepsGitDir: keepsGitDir(buildArgs) });
    case "net":
      return createVertex({
        kind: "http",
        url: context,
        name: nameOfUrl(context),
        mode: 0o600,
        uid: 0,
        gid: 0,
      });
    case "context":
      return undefined;
  }
}

/** Whether a repository that is a context has its history. */
export function keepsGitDir({ BUILDKIT_CONTEXT_KEEP_GIT_DIR: text = "" }: PlanRequest["buildArgs"]): boolean {
  return parseGoBool(text) === true;
}

/** Files of the user's as a file system of its own. */
export function copyOfAll(files: Vertex): Vertex {
  return createVertex(
    {
      kind: "copy",
      sources: [{ kind: "path", input: 1, path: "/" }],
      target: "/",
      keepsParents: false,
      exclude: [],
      unpacks: false,
    },
    [undefined, files],
  );
}
