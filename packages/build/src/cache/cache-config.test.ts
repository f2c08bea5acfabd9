import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { chainIdsOf, parseDigest } from "@hawser/oci";
import {
  type CacheLayer,
  formatCacheConfig,
  formatInlineCache,
  parseCacheConfig,
  parseInlineCache,
} from "./cache-config.ts";

const digest = (digit: string) => parseDigest(`sha256:${digit.repeat(64)}`);
const layer = (digit: string): CacheLayer => ({
  blob: digest(digit),
  mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
  diffId: digest(digit),
  sizeBytes: 10,
});
const [a, b, c] = [layer("a"), layer("b"), layer("c")];
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const listed = ({ blob, mediaType, diffId, sizeBytes }: CacheLayer, parent?: number) => ({
  blob,
  ...(parent !== undefined && { parent }),
  annotations: { mediaType, diffID: diffId, size: sizeBytes },
});
const record = (key: string, place: number) => ({ digest: digest(key), layers: [{ layer: place }] });

describe("a cache configuration", () => {
  test("is what was written down, each layer once", () => {
    const results = new Map([
      [digest("1"), [a, b]],
      [digest("2"), [a]],
      [digest("3"), [b, a, c]],
    ]);
    const { bytes, layers } = formatCacheConfig(results);
    assert.deepEqual(layers, [a, b, b, a, c]);
    const read = parseCacheConfig(bytes);
    assert.equal(read.size, 3);
    for (const [key, chain] of results) {
      const chainId = read.find(key);
      assert.equal(chainId, chainIdsOf(chain.map(({ diffId }) => diffId)).at(-1));
      assert.ok(chainId);
      assert.deepEqual(read.layersOf(chainId), chain);
    }
    assert.equal(read.find(digest("4")), undefined);
  });

  test("leaves out circles, layers that are not there, and results of them", () => {
    const layers = [listed(a), listed(b, 2), listed(c, 1), listed(a, -1), listed(b, 99), { blob: "x" }];
    const records = ["1", "2", "3", "4", "5", "6", "7"].map((key, at) => record(key, at));
    const read = parseCacheConfig(json({ layers, records }));
    assert.deepEqual(
      ["1", "2", "3", "4", "5", "6", "7"].map((key) => read.find(digest(key)) !== undefined),
      [false, false, false, true, false, false, false],
    );
  });

  test("takes no chain that is longer than a file system may have layers", () => {
    const layers = Array.from({ length: 501 }, (_, at) => listed(a, at - 1));
    const read = parseCacheConfig(json({ layers, records: [record("1", 499), record("2", 500)] }));
    assert.ok(read.find(digest("1")));
    assert.equal(read.find(digest("2")), undefined);
  });

  test("is read in no time when it is as large as it may be", () => {
    const layers = Array.from({ length: 25_000 }, (_, at) => listed(a, at + 1));
    const started = performance.now();
    const bytes = json({ layers, records: [record("1", 0)] });
    assert.ok(bytes.length > 6 << 20);
    assert.equal(parseCacheConfig(bytes).size, 0);
    assert.ok(performance.now() - started < 5000);
  });
});

test("an image's own cache speaks of the image's layers", () => {
  const results = new Map([
    [digest("1"), [a, b]],
    [digest("2"), [b]],
  ]);
  const bytes = formatInlineCache(results, [a.diffId, b.diffId, c.diffId]);
  const read = parseInlineCache(bytes, [a, b, c]);
  assert.equal(read.find(digest("2")), undefined);
  const chainId = read.find(digest("1"));
  assert.ok(chainId);
  assert.deepEqual(read.layersOf(chainId), [a, b]);
});
