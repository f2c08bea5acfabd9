import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { openTestStore } from "../testing/open-test-store.ts";
import { loadImage, tarOf, testImage } from "../testing/test-images.ts";
import { file, folder } from "../testing/unpack.ts";
import { v1Archive, v1Json } from "../testing/v1-images.ts";

const [a, b, c, d] = ["a".repeat(64), "b".repeat(64), "c".repeat(64), "Not_Hex"] as const;
const lowest = await tarOf([folder("etc/"), file("etc/a", "a"), file("etc/b", "b")]);
const middle = await tarOf([file("etc/.wh.a"), file("c", "c")]);
const top = await tarOf([file("d", "d")]);

test("an archive from before Docker 1.10 has the images, layers and names that dockerd 28.5.2 sees in it", async () => {
  await using test = await openTestStore();
  const { images, maker } = test.store;
  await loadImage(test.store, testImage("example.org/app:two", "old"));
  const previousId = images.resolve("example.org/app:two").id;
  const archive = v1Archive(
    {
      [a]: { json: v1Json({ parent: b }), layer: top },
      [b]: { json: v1Json({ parent: c }), layer: middle },
      [c]: { json: v1Json({}), layer: gzipSync(lowest) },
      [d]: { json: v1Json({ author: "other" }), layer: lowest },
    },
    { "example.org/app": { one: a, two: b } },
  );
  assert.deepEqual(await Array.fromAsync(maker.load(archive)), [
    { kind: "renamed", reference: "example.org/app:two", previousId },
  ]);
  const one = images.resolve("example.org/app:one");
  const two = images.resolve("example.org/app:two");
  assert.equal(one.id, "sha256:5c6f6aa7f2194865b19b727c2c911e9786f875d6ae6a5d4e2454ba42f953c813");
  assert.equal(two.id, "sha256:f3c426e77218b412c502d69e9d100ae79b18b2a4b50d2e9d1287978154340d44");
  assert.deepEqual(one.diffIds.slice(0, 2), two.diffIds);
  assert.deepEqual(
    one.config.history.map(({ createdBy, author }) => [createdBy, author]),
    Array.from({ length: 3 }, () => ["/bin/sh -c #(nop) <x> & 'y'", "me <me@x>"]),
  );
  assert.deepEqual(one.config.execution.cmd, ["echo hi"]);
  // The step between has no name and one above it; the one that nothing is made of is there without a name.
  const nameless = images.list().filter(({ names }) => names.length === 0);
  assert.deepEqual(
    nameless.map(({ config: { author }, id }) => author ?? id),
    [previousId, "other"],
  );
});
