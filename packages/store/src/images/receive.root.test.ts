import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { Fault } from "@hawser/base";
import { eventually } from "@hawser/base/testing";
import { parseDigest, parseReference } from "@hawser/oci";
import type { BlobOrigin } from "../content/incoming-blob.ts";
import { openTestStore, type TestStore } from "../testing/open-test-store.ts";
import { configJson, sha256, tarOf } from "../testing/test-images.ts";
import type { RemoteImage } from "./image-requests.ts";

interface TestLayer {
  readonly plain: Buffer;
  readonly archive: Buffer;
}

async function layerOf(
  name: string,
  content: Uint8Array = Buffer.from(name),
  compress: (plain: Buffer) => Buffer = gzipSync,
): Promise<TestLayer> {
  const plain = await tarOf([{ path: name, type: "file", content: Buffer.from(content) }]);
  return { plain, archive: compress(plain) };
}

const same = (plain: Buffer) => plain;

/** Fetched in chunks, each a turn of the event loop after the last. */
function originOf(
  archive: Buffer,
  more: Partial<BlobOrigin> = {},
): BlobOrigin & { readonly opened: () => number } {
  let opened = 0;
  return {
    digest: parseDigest(`sha256:${sha256(archive)}`),
    sizeBytes: archive.length,
    async *open(signal) {
      opened++;
      for (let at = 0; at < archive.length; at += 60_000) {
        await new Promise(setImmediate);
        signal.throwIfAborted();
        yield archive.subarray(at, at + 60_000);
      }
    },
    ...more,
    opened: () => opened,
  };
}

function remoteImage(layers: readonly TestLayer[], origins: readonly BlobOrigin[], label = ""): RemoteImage {
  const config = Buffer.from(
    configJson(
      layers.map(({ plain }) => `sha256:${sha256(plain)}`),
      { author: label },
    ),
  );
  const manifest = Buffer.from(
    JSON.stringify({ schemaVersion: 2, layers: origins.map(({ digest }) => digest), label }),
  );
  const describe = (bytes: Buffer) => ({ digest: parseDigest(`sha256:${sha256(bytes)}`), bytes });
  return {
    manifest: describe(manifest),
    config: { ...describe(config), read: async () => config },
    layers: origins,
    references: [parseReference(`example.org/app:v1${label}`)],
  };
}

/** The store has nothing but what belongs to images. What is thrown away goes in the background. */
async function assertClean(test: TestStore): Promise<void> {
  for (const folder of ["content/ingest", "layers/ingest"]) {
    await eventually(async () => (await readdir(join(test.root, folder))).length === 0, {
      what: `nothing is left in ${folder}`,
    });
  }
}

async function assertGone(test: TestStore): Promise<void> {
  await test.reopen();
  assert.deepEqual(await test.counts(), {});
}

describe("maker.receive()", () => {
  test("takes layers of every compression while they come, and says how far they are", async () => {
    await using store = await openTestStore();
    const layers = [
      await layerOf("gzip", randomBytes(3 << 20)),
      await layerOf("zstd", randomBytes(2 << 20), zstdCompressSync),
      await layerOf("plain", randomBytes(1 << 20), same),
      await layerOf("empty", Buffer.alloc(0)),
    ];
    const news: string[][] = layers.map(() => []);
    const remote = remoteImage(
      layers,
      layers.map(({ archive }) => originOf(archive)),
    );
    const { image, isNew } = await store.store.maker.receive(remote, {
      onNews: (index, { kind }) => {
        if (news[index]?.at(-1) !== kind) news[index]?.push(kind);
      },
    });
    assert.equal(isNew, true);
    assert.equal(image.id, remote.config.digest);
    assert.equal(image.manifestDigest, remote.manifest.digest);
    assert.deepEqual(
      image.diffIds,
      layers.map(({ plain }) => `sha256:${sha256(plain)}`),
    );
    assert.equal(image.sizeBytes, (6 << 20) + 0);
    for (const kinds of news) {
      assert.equal(kinds[0], "downloading");
      assert.equal(kinds.at(-1), "complete");
      assert.ok(kinds.includes("downloaded"));
    }
    await assertClean(store);
    for (const { archive } of layers) {
      const digest = parseDigest(`sha256:${sha256(archive)}`);
      assert.ok((await store.store.content.read(digest)).equals(archive), "the archive is kept as it came");
    }
    const again = await store.store.maker.receive(remote, {
      onNews: (_index, { kind }) => assert.equal(kind, "exists"),
    });
    assert.equal(again.isNew, false);
    assert.equal((await store.reopen()).images.resolve("example.org/app:v1").id, image.id);
  });

  test("fetches what two pulls want once", async () => {
    await using store = await openTestStore();
    const [base, top, other] = [
      await layerOf("base", randomBytes(2 << 20)),
      await layerOf("top"),
      await layerOf("other"),
    ];
    const shared = originOf(base.archive);
    const [one, two] = await Promise.all([
      store.store.maker.receive(remoteImage([base, top], [shared, originOf(top.archive)], "1")),
      store.store.maker.receive(remoteImage([base, other], [shared, originOf(other.archive)], "2")),
    ]);
    assert.equal(shared.opened(), 1);
    assert.equal(one.image.layers[0]?.chainId, two.image.layers[0]?.chainId);
    await assertClean(store);
  });

  test("asks for layers while the configuration still comes, and no more once that is refused", async () => {
    await using store = await openTestStore();
    const layer = await layerOf("file", randomBytes(1 << 20));
    const origin = originOf(layer.archive);
    const asked = Promise.withResolvers<void>();
    const remote = remoteImage([layer], [origin]);
    const hanging = originOf(layer.archive, {
      async *open(signal) {
        yield layer.archive.subarray(0, 1000);
        asked.resolve();
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
    });
    const refused = async () => {
      await asked.promise;
      throw new Error("for another machine");
    };
    const { digest } = remote.config;
    await assert.rejects(
      store.store.maker.receive({ ...remote, layers: [hanging], config: { digest, read: refused } }),
      /for another machine/,
    );
    await assertClean(store);
    const late = async () => {
      await eventually(() => origin.opened() > 0, { what: "the layer is asked for" });
      return await remote.config.read();
    };
    const { image } = await store.store.maker.receive({ ...remote, config: { digest, read: late } });
    assert.equal(image.id, digest);
    await assertClean(store);
  });

  test("goes on for the second when the first that fetches is cancelled", async () => {
    await using store = await openTestStore();
    const layer = await layerOf("base", randomBytes(4 << 20));
    const stop = new AbortController();
    const came = Promise.withResolvers<void>();
    const left = Promise.withResolvers<void>();
    let opened = 0;
    const shared = originOf(layer.archive, {
      async *open(signal) {
        opened++;
        yield layer.archive.subarray(0, 60_000);
        signal.addEventListener("abort", () => left.resolve());
        await left.promise; // it is still on its way
        signal.throwIfAborted();
        yield layer.archive.subarray(60_000);
      },
    });
    const first = store.store.maker.receive(remoteImage([layer], [shared], "1"), {
      signal: stop.signal,
      onNews: () => came.resolve(),
    });
    await came.promise;
    const second = store.store.maker.receive(remoteImage([layer], [shared], "2"));
    // The second waits along only once it has looked for the layer.
    await new Promise((resolve) => setTimeout(resolve, 20));
    stop.abort(new Error("enough"));
    await assert.rejects(first, /enough/);
    left.resolve();
    assert.equal((await second).image.layers.length, 1);
    assert.ok(opened <= 2);
    await assertClean(store);
  });

  test("tries its own place when another one's fails", async () => {
    await using store = await openTestStore();
    const layer = await layerOf("base", randomBytes(1 << 20));
    const began = Promise.withResolvers<void>();
    const fail = Promise.withResolvers<void>();
    const broken = originOf(layer.archive, {
      async *open() {
        yield layer.archive.subarray(0, 1000);
        began.resolve();
        await fail.promise;
        throw new Error("broken off");
      },
    });
    const first = store.store.maker.receive(remoteImage([layer], [broken], "1"));
    await began.promise;
    const joined = Promise.withResolvers<void>();
    const second = store.store.maker.receive(remoteImage([layer], [originOf(layer.archive)], "2"), {
      onNews: () => joined.resolve(),
    });
    await joined.promise;
    fail.resolve();
    await assert.rejects(first, /broken off/);
    assert.equal((await second).isNew, true);
    await assertClean(store);
  });

  test("keeps what it has checked when it is cancelled, for the next try", async () => {
    await using store = await openTestStore();
    const [base, top] = [
      await layerOf("base", randomBytes(1 << 20)),
      await layerOf("top", randomBytes(1 << 20)),
    ];
    const stop = new AbortController();
    const waiting = originOf(top.archive, {
      async *open(signal) {
        yield top.archive.subarray(0, 1000);
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
    });
    const baseOrigin = originOf(base.archive);
    const pull = store.store.maker.receive(remoteImage([base, top], [baseOrigin, waiting]), {
      signal: stop.signal,
      onNews: (index, { kind }) => {
        if (index === 0 && kind === "complete") stop.abort(new Error("enough"));
      },
    });
    await assert.rejects(pull, /enough/);
    await assertClean(store);
    assert.deepEqual(store.store.images.list(), []);
    const kinds: string[] = [];
    const topOrigin = originOf(top.archive);
    await store.store.maker.receive(remoteImage([base, top], [baseOrigin, topOrigin]), {
      onNews: (index, { kind }) => void (index === 0 && kinds.push(kind)),
    });
    assert.deepEqual(kinds, ["exists"]);
    assert.equal(baseOrigin.opened(), 1);
    assert.equal(topOrigin.opened(), 1);
  });

  describe("refuses, and keeps nothing of,", () => {
    const lies: Record<string, (layer: TestLayer, right: BlobOrigin) => Promise<BlobOrigin>> = {
      "an archive that is not what its digest says": async (layer, right) => ({
        ...originOf(gzipSync(layer.plain, { level: 1 })),
        digest: right.digest,
      }),
      "an archive that is longer than announced": async (_layer, right) => ({
        ...right,
        sizeBytes: right.sizeBytes - 1,
      }),
      "an archive that is shorter than announced": async (_layer, right) => ({
        ...right,
        sizeBytes: right.sizeBytes + 1,
      }),
      "another layer than the configuration names": async () => originOf((await layerOf("evil")).archive),
      "what is no archive": async () => originOf(randomBytes(100_000)),
      "a damaged archive": async (layer) => {
        const damaged = Buffer.from(layer.archive);
        damaged.fill(0, 500_000, 600_000);
        return originOf(damaged);
      },
    };
    for (const [what, lie] of Object.entries(lies)) {
      test(what, async () => {
        await using store = await openTestStore();
        const layer = await layerOf("file", randomBytes(2 << 20));
        const origin = await lie(layer, originOf(layer.archive));
        await assert.rejects(store.store.maker.receive(remoteImage([layer], [origin])), (error: unknown) => {
          assert.ok(Fault.is(error, "data-loss") || Fault.is(error, "invalid-argument"), String(error));
          return true;
        });
        await assertClean(store);
        assert.equal(await store.store.content.has(origin.digest), false);
        // Nor is it taken for a layer that is there under its true name.
        const right = originOf(layer.archive);
        await store.store.maker.receive(remoteImage([layer], [right]));
        if (origin.digest !== right.digest) {
          await assert.rejects(store.store.maker.receive(remoteImage([layer], [origin], "again")));
          assert.equal(await store.store.content.has(origin.digest), false);
        }
        await assertClean(store);
        await store.store.images.remove("example.org/app:v1", { isUsed: () => undefined });
        await assertGone(store);
      });
    }
  });
});
