import assert from "node:assert/strict";
import { test } from "node:test";
import { createVertex } from "../plan/vertex.ts";
import { restrictLocals } from "./restrict-locals.ts";

/** What is asked of the context where these are the sources of `COPY`. */
function followOf(...paths: readonly string[]): readonly string[] | undefined {
  const context = createVertex({ kind: "local", name: "context" });
  const sources = paths.map((path) => ({ kind: "path", input: 1, path }) as const);
  const copy = { kind: "copy", target: "/", keepsParents: false, exclude: [], unpacks: false } as const;
  const root = createVertex({ ...copy, sources }, [undefined, context]);
  const plan = restrictLocals({ root, history: [], scanned: [], steps: [] });
  const op = plan.root?.inputs[1]?.op;
  assert.equal(op?.kind, "local");
  return op.follow;
}

test("a folder of which all is used says nothing", () => {
  for (const path of [".", "/", "", "./", "..", "a/..", "!a", " a", "a ", "[", "(a)*", "a\\*b"])
    assert.equal(followOf(path), undefined, path);
  assert.equal(followOf("a", "."), undefined);
  const root = createVertex({ kind: "local", name: "base" });
  assert.equal(restrictLocals({ root, history: [], scanned: [], steps: [] }).root?.digest, root.digest);
});

test("paths are those below the folder, each once", () => {
  assert.deepEqual(followOf("b", "./a/", "/a", "../c/../d//e"), ["a", "b", "d/e"]);
});

test("a pattern that clients read otherwise is a folder", () => {
  const asked = {
    "a/*.txt": "a/*.txt",
    "a*/b/?c": "a*/b/?c",
    "**/a": "**/a",
    "a/**": "a/**",
    "w[12]/x": "w[12]/x",
    "w[^a-z]": "w[^a-z]",
    "a/b**c": "a",
    "a/***": "a",
    "src/(app)/page.tsx": "src/(app)/page.tsx",
    "src/(app)/*.tsx": "src/(app)",
    "a*/b+c/d": "a*",
    "a/b[]c/d": "a",
    "a/b\\[c/d": "a",
    "caret^": "caret^",
    "a/caret^*": "a",
  };
  for (const [path, wanted] of Object.entries(asked)) assert.deepEqual(followOf(path), [wanted], path);
});
