import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Fault, type FaultKind } from "@hawser/base";
import { shortId } from "@hawser/oci";
import type { Store } from "../store.ts";
import { openTestStore } from "../testing/open-test-store.ts";
import { loadImage, testImage } from "../testing/test-images.ts";
import type { ImageUse } from "./remove-image.ts";

const unused = { isUsed: () => undefined };

function message(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
  return "no fault";
}

describe("images.resolve()", () => {
  test("finds an image by every name and id that Docker takes", async () => {
    await using test = await openTestStore();
    const { images } = test.store;
    await loadImage(test.store, testImage("busybox", "1"));
    images.tag("busybox", "example.org:5000/team/app:v1");
    const { id } = images.resolve("busybox");
    const hex = id.slice(7);
    for (const name of [
      "busybox",
      "busybox:latest",
      "library/busybox",
      "docker.io/library/busybox:latest",
      "index.docker.io/busybox",
      "example.org:5000/team/app:v1",
      id,
      hex,
      shortId(id),
      hex.slice(0, 4),
      `sha256:${hex.slice(0, 10)}`,
    ]) {
      assert.equal(images.resolve(name).id, id, name);
    }
    assert.deepEqual(images.resolve(id).names, ["busybox:latest", "example.org:5000/team/app:v1"]);
  });

  test("says what Docker says when there is none", async () => {
    await using test = await openTestStore();
    const { images } = test.store;
    const zeros = "0".repeat(64);
    assert.equal(
      message(() => images.resolve("nope")),
      "No such image: nope:latest",
    );
    assert.equal(
      message(() => images.resolve("docker.io/library/nope:1")),
      "No such image: nope:1",
    );
    assert.equal(
      message(() => images.resolve(zeros)),
      `No such image: sha256:${zeros}`,
    );
    assert.equal(
      message(() => images.resolve(`nope@sha256:${zeros}`)),
      `No such image: nope@sha256:${zeros}`,
    );
    assert.equal(
      message(() => images.resolve("a b")),
      "invalid reference format",
    );
  });

  test("takes a name before the beginning of an id, and refuses a beginning of two ids", async () => {
    await using test = await openTestStore();
    const { images } = test.store;
    const ids: string[] = [];
    for (let label = 0; label < 40; label++) {
      await loadImage(test.store, testImage(`i${label}`, `${label}`));
      ids.push(images.resolve(`i${label}`).id.slice(7));
    }
    const first = ids.find((id) => ids.some((other) => other !== id && other[0] === id[0])) ?? "";
    assert.equal(
      message(() => images.resolve(first.slice(0, 1))),
      `No such image: ${first.slice(0, 1)}:latest`,
    );
    const other = ids.find((id) => id !== first) ?? "";
    images.tag(other, first.slice(0, 12));
    assert.equal(images.resolve(first.slice(0, 12)).id, `sha256:${other}`);
  });
});

describe("images.tag()", () => {
  test("moves a name from one image to another, for good", async () => {
    await using test = await openTestStore();
    await loadImage(test.store, testImage("a", "a"));
    await loadImage(test.store, testImage("b", "b"));
    const b = test.store.images.resolve("b").id;
    test.store.images.tag("b", "a");
    const { images } = await test.reopen();
    assert.equal(images.resolve("a").id, b);
    assert.deepEqual(
      images
        .list()
        .flatMap(({ names }) => names)
        .toSorted((a, b) => (a < b ? -1 : 1)),
      ["a:latest", "b:latest"],
    );
  });

  test("refuses digests, and sha256 as a name", async () => {
    await using test = await openTestStore();
    const { images } = test.store;
    await loadImage(test.store, testImage("a", "a"));
    assert.equal(
      message(() => images.tag("a", `x@sha256:${"0".repeat(64)}`)),
      "refusing to create a tag with a digest reference",
    );
    assert.equal(
      message(() => images.tag("a", "sha256:abc")),
      "refusing to create an ambiguous tag using digest algorithm as name",
    );
    assert.equal(
      message(() => images.tag("nope", "x")),
      "No such image: nope:latest",
    );
  });
});

describe("images.remove()", () => {
  async function two(store: Store) {
    await loadImage(store, testImage("one", "1"));
    store.images.tag("one", "two");
    return store.images.resolve("one").id;
  }
  const use = (running: boolean) => ({ isUsed: (): ImageUse => ({ container: "c".repeat(64), running }) });
  const fault = (kind: FaultKind, text: string) => (error: unknown) => {
    assert.ok(Fault.is(error, kind), String(error));
    assert.equal(error.message, text);
    return true;
  };

  test("takes one name, then with the last one the image", async () => {
    await using test = await openTestStore();
    const { images } = test.store;
    const id = await two(test.store);
    assert.deepEqual(await images.remove("one", unused), [{ untagged: "one:latest" }]);
    assert.deepEqual(await images.remove("two", unused), [{ untagged: "two:latest" }, { deleted: id }]);
    assert.deepEqual(images.list(), []);
    assert.deepEqual(await test.counts(), {});
    assert.deepEqual((await test.reopen()).images.list(), []);
  });

  test("by id wants force when several names refer to it", async () => {
    await using test = await openTestStore();
    const { images } = test.store;
    const id = await two(test.store);
    await assert.rejects(
      images.remove(id, unused),
      fault(
        "conflict",
        `conflict: unable to delete ${shortId(id)} (must be forced) - image is referenced in multiple repositories`,
      ),
    );
    assert.deepEqual(await images.remove(shortId(id), { ...unused, force: true }), [
      { untagged: "one:latest" },
      { untagged: "two:latest" },
      { deleted: id },
    ]);
  });

  test("by its only name is refused while a container uses it, and forced only takes the name of a running one", async () => {
    await using test = await openTestStore();
    const { images } = test.store;
    await loadImage(test.store, testImage("one", "1"));
    const { id } = images.resolve("one");
    const text = `conflict: unable to remove repository reference "one" (must force) - container cccccccccccc is using its referenced image ${shortId(id)}`;
    for (const running of [true, false])
      await assert.rejects(images.remove("one", use(running)), fault("conflict", text));
    assert.deepEqual(await images.remove("one", { ...use(true), force: true }), [{ untagged: "one:latest" }]);
    assert.deepEqual(images.resolve(id).names, []);
    await assert.rejects(
      images.remove(id, { ...use(true), force: true }),
      fault(
        "conflict",
        `conflict: unable to delete ${shortId(id)} (cannot be forced) - image is being used by running container cccccccccccc`,
      ),
    );
    await assert.rejects(
      images.remove(id, use(false)),
      fault(
        "conflict",
        `conflict: unable to delete ${shortId(id)} (must be forced) - image is being used by stopped container cccccccccccc`,
      ),
    );
    assert.deepEqual(await images.remove(id, { ...use(false), force: true }), [{ deleted: id }]);
  });

  test("of what is not there is not found", async () => {
    await using test = await openTestStore();
    await assert.rejects(test.store.images.remove("x:y", unused), fault("not-found", "No such image: x:y"));
  });
});
