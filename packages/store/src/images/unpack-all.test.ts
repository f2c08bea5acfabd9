import assert from "node:assert/strict";
import { test } from "node:test";
import { type ChainId, chainIdsOf, parseDigest } from "@hawser/oci";
import type { HeldLayer } from "../layers/layer-store.ts";
import { unpackAll } from "./unpack-all.ts";

const sizes = [20, 5, 30, 30];
const diffIds = sizes.map((_, at) => parseDigest(`sha256:${String(at).repeat(64)}`));
const chainIds = chainIdsOf(diffIds);

function heldLayer(at: number): HeldLayer {
  const [chainId, diffId] = [chainIds[at], diffIds[at]];
  if (chainId === undefined || diffId === undefined) throw new Error("no such layer");
  return { layer: { chainId, diffId, sizeBytes: 0 }, [Symbol.dispose]: () => {} };
}

test("the largest layers begin first, and each waits for the one below it", async () => {
  const begun: { readonly at: number; readonly parent: ChainId | undefined }[] = [];
  const done: number[] = [];
  await using all = await unpackAll(
    diffIds.map((diffId, at) => ({
      diffId,
      sizeBytes: sizes[at] ?? 0,
      async begin({ parent, after }) {
        begun.push({ at, parent });
        await after;
        done.push(at);
        return heldLayer(at);
      },
    })),
  );
  assert.deepEqual(
    begun,
    [2, 3, 0, 1].map((at) => ({ at, parent: chainIds[at - 1] })),
  );
  assert.deepEqual(done, [0, 1, 2, 3]);
  assert.deepEqual(
    all.held.map(({ layer }) => layer.chainId),
    chainIds,
  );
});

test("the first failure ends all, also those that have waited for it", async () => {
  const refused = new Error("refused");
  const kept: HeldLayer[] = [];
  await assert.rejects(
    unpackAll(
      diffIds.map((diffId, at) => ({
        diffId,
        sizeBytes: sizes[at] ?? 0,
        async begin({ after }) {
          if (at === 1) throw refused;
          await after;
          return heldLayer(at);
        },
      })),
      { onFailure: (held) => kept.push(...held) },
    ),
    refused,
  );
  assert.deepEqual(
    kept.map(({ layer }) => layer.diffId),
    diffIds.slice(0, 1),
  );
});
