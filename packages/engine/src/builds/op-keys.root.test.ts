import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { TarSource } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { type CopyAction, createVertex } from "@hawser/build";
import { BuildContext } from "./build-context.ts";
import { keyOfVertex } from "./op-keys.ts";

const action: CopyAction = {
  kind: "copy",
  input: 1,
  source: "*.txt",
  target: "/",
  followsLinks: true,
  copiesContent: true,
  unpacks: false,
  makesParents: true,
  hasWildcards: true,
  mayMatchNothing: true,
  include: [],
  exclude: [],
  required: [],
  replaces: false,
};

/** What a copy of `*.txt` is kept under. */
async function keyOf(...files: readonly TarSource[]): Promise<string | undefined> {
  await using dir = await openTempDir();
  async function* sent() {
    yield* files;
  }
  await using context = await BuildContext.receive(sent(), {
    folder: join(dir.path, "context"),
    kept: new Map(),
    signal: AbortSignal.timeout(30_000),
  });
  const vertex = createVertex({ kind: "file", actions: [action] });
  return keyOfVertex(vertex, [undefined, { kind: "context", context }], { epochOf: () => 0, limits: {} });
}

const file = (path: string, text: string): TarSource => ({ path, type: "file", content: Buffer.from(text) });
const link = (path: string, linkPath: string): TarSource => ({ path, type: "symlink", linkPath });

test("a copy of a graph is kept for the names of its files, and for what its links lead to, alone", async () => {
  const key = await keyOf(file("a.txt", "1"));
  assert.equal(await keyOf(file("a.txt", "1"), file("other", "2")), key);
  assert.notEqual(await keyOf(file("a.txt", "2")), key);
  assert.notEqual(await keyOf(file("b.txt", "1")), key);

  const linked = await keyOf(link("a.txt", "b"), file("b", "1"));
  assert.equal(await keyOf(link("a.txt", "b"), file("b", "1"), file("other", "2")), linked);
  assert.notEqual(await keyOf(link("a.txt", "b"), file("b", "2")), linked);
});
