import assert from "node:assert/strict";
import { fuzz, orRefused } from "@hawser/base/testing/fuzz";
import { parseDigest } from "@hawser/oci";
import fc from "fast-check";
import { parseCacheConfig, parseInlineCache } from "./cache-config.ts";

const digests = ["a", "b", "c"].map((digit) => `sha256:${digit.repeat(64)}`);
const digest = fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...digests) }, fc.string({ maxLength: 5 }));
const number = fc.oneof({ weight: 8, arbitrary: fc.integer({ min: -2, max: 12 }) }, fc.anything());
const layer = fc.record(
  {
    blob: digest,
    parent: number,
    annotations: fc.record(
      { mediaType: fc.string({ maxLength: 3 }), diffID: digest, size: number },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);
const record = fc.record(
  { digest, layers: fc.array(fc.record({ layer: number }, { requiredKeys: [] }), { maxLength: 2 }) },
  { requiredKeys: [] },
);
const config = fc.record(
  { layers: fc.array(layer, { maxLength: 12 }), records: fc.array(record, { maxLength: 6 }) },
  { requiredKeys: [] },
);

fuzz("a cache configuration is refused, or its results have layers", fc.oneof(config, fc.json()), (value) => {
  const bytes = Buffer.from(JSON.stringify(value) ?? "null");
  const read = orRefused(["invalid-argument"], () => parseCacheConfig(bytes));
  for (const key of digests) {
    const chainId = read?.find(parseDigest(key));
    if (read !== undefined && chainId !== undefined) {
      const { length } = read.layersOf(chainId);
      assert.ok(length > 0 && length <= 12);
    }
  }
  orRefused(["invalid-argument"], () => parseInlineCache(bytes, []));
});
