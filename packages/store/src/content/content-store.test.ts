import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Fault, type FaultKind } from "@hawser/base";
import { parseDigest } from "@hawser/oci";
import { openTestStore } from "../testing/open-test-store.ts";
import { sha256 } from "../testing/test-images.ts";

const text = "some content";
const digest = parseDigest(`sha256:${sha256(text)}`);
const none = parseDigest(`sha256:${"0".repeat(64)}`);

async function* stream(...chunks: readonly string[]) {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

function isFault(kind: FaultKind) {
  return (error: unknown) => Fault.is(error, kind);
}

test("content.ingest() keeps what it is given under its digest", async () => {
  await using test = await openTestStore();
  const { content } = test.store;
  assert.deepEqual(await content.ingest(stream("some ", "", "content")), { digest, sizeBytes: 12 });
  assert.deepEqual(await content.ingest(stream(text), { expected: { digest, sizeBytes: 12 } }), {
    digest,
    sizeBytes: 12,
  });
  assert.equal(await content.has(digest), true);
  assert.deepEqual(await content.get(digest), { digest, sizeBytes: 12 });
  assert.equal(Buffer.concat(await Array.fromAsync(content.open(digest))).toString(), text);
  assert.equal((await content.read(digest)).toString(), text);
  assert.deepEqual(await test.counts(), { "content/sha256": 1 });
});

test("content.ingest() knows sha512", async () => {
  await using test = await openTestStore();
  const wrong = parseDigest(`sha512:${"0".repeat(128)}`);
  await assert.rejects(
    test.store.content.ingest(stream(text), { expected: { digest: wrong } }),
    isFault("data-loss"),
  );
});

describe("content.ingest() keeps nothing of", () => {
  for (const [what, options, kind] of [
    ["content with another digest", { expected: { digest: none } }, "data-loss"],
    ["content that is longer than announced", { expected: { sizeBytes: 5 } }, "data-loss"],
    ["content that is shorter than announced", { expected: { sizeBytes: 500 } }, "data-loss"],
    ["content beyond the limit", { maxBytes: 5 }, "invalid-argument"],
  ] as const) {
    test(what, async () => {
      await using test = await openTestStore();
      await assert.rejects(test.store.content.ingest(stream("some ", "content"), options), isFault(kind));
      assert.deepEqual(await test.counts(), {});
    });
  }

  test("a stream that fails or is cancelled", async () => {
    await using test = await openTestStore();
    const controller = new AbortController();
    const reason = new Error("gone");
    async function* failing() {
      yield* stream("some ");
      controller.abort(reason);
      yield* stream("content");
    }
    await assert.rejects(
      test.store.content.ingest(failing(), { signal: controller.signal }),
      (error) => error === reason,
    );
    assert.deepEqual(await test.counts(), {});
  });
});

test("content that is not there is not found", async () => {
  await using test = await openTestStore();
  const { content } = test.store;
  assert.equal(await content.has(none), false);
  await assert.rejects(content.get(none), isFault("not-found"));
  await assert.rejects(content.read(none), isFault("not-found"));
  await assert.rejects(Array.fromAsync(content.open(none)), isFault("not-found"));
});

test("content that no image refers to is gone after the next start", async () => {
  await using test = await openTestStore();
  await test.store.content.ingest(stream(text));
  const { content } = await test.reopen();
  assert.equal(await content.has(digest), false);
});

test("a staged blob can be opened while it is being named", async () => {
  await using test = await openTestStore();
  for (let round = 0; round < 50; round++) {
    await using blob = await test.store.content.stage([Buffer.from(`${round}`)]);
    let isNamed = false;
    const naming = blob.commit().finally(() => {
      isNamed = true;
    });
    while (!isNamed) await (await blob.open()).close();
    await naming;
  }
});
