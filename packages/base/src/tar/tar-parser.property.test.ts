import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "../fault.ts";
import { TarParser } from "./tar-parser.ts";
import { archiveOf, samples, withField } from "./testing/tar-samples.ts";

test("TarParser throws nothing but faults, whatever is done to an archive", async () => {
  const archive = await archiveOf(samples);
  let state = 12345;
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    let changed = Buffer.from(archive);
    for (let change = random(4); change >= 0; change--) {
      const at = random(changed.length);
      switch (random(4)) {
        case 0:
          changed[at] = random(256);
          break;
        case 1:
          changed = changed.subarray(0, at);
          break;
        case 2:
          changed = Buffer.concat([changed.subarray(0, at), changed.subarray(random(changed.length))]);
          break;
        default: {
          // With a right checksum, the change gets further.
          const block = at - (at % 512);
          if (changed.length < block + 512) break;
          const field = [0, 100, 108, 116, 124, 136, 156, 157, 257, 345, 386, 482, 483][random(13)] ?? 0;
          const bytes = Buffer.from(
            Array.from({ length: 8 }, () => (random(2) === 0 ? 0x30 + random(8) : random(256))),
          );
          withField(
            changed.subarray(block, block + 512),
            field,
            field === 156 ? bytes.subarray(0, 1) : bytes,
          ).copy(changed, block);
        }
      }
    }
    try {
      const parser = new TarParser({ maxEntries: 1000 });
      const chunkBytes = 1 + random(3000);
      for (let at = 0; at < changed.length; at += chunkBytes) {
        for (const event of parser.feed(changed.subarray(at, at + chunkBytes))) {
          if (event.kind === "data") assert.ok(event.bytes.length > 0);
        }
      }
      parser.finish();
    } catch (error) {
      if (!Fault.is(error)) throw error;
      refused++;
    }
  }
  assert.ok(refused > 1000, `only ${refused} archives were refused`);
});
