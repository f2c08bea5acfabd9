import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { withoutForeignCompression } from "./foreign-compression.ts";

const data = Buffer.concat([Buffer.alloc(2 << 20, "some text "), randomBytes(300_000)]);

async function* pieces(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const expand = async (source: AsyncIterable<Uint8Array>) =>
  Buffer.concat(await Array.fromAsync(withoutForeignCompression(source)));

test("what is not compressed so comes as it is, however short", async () => {
  for (const text of ["", "B", "BZ", "text that is longer", "\x1f\x8bgzip"]) {
    const bytes = Buffer.from(text, "latin1");
    assert.ok((await expand(pieces(bytes, 1))).equals(bytes), text);
  }
});

for (const program of ["xz", "bzip2"]) {
  describe(`an archive that is compressed by ${program}`, () => {
    const packed = execFileSync(program, ["-c"], { input: data, maxBuffer: 64 << 20 });

    test("is expanded, in pieces of any size, several of them as one", async () => {
      for (const size of [1000, packed.length]) assert.ok((await expand(pieces(packed, size))).equals(data));
      const twice = Buffer.concat([packed, packed]);
      assert.equal((await expand(pieces(twice, 1 << 16))).length, 2 * data.length);
    });

    test("that ends early or is damaged is told", async () => {
      const damaged = Buffer.from(packed);
      damaged.fill(0x55, packed.length >> 1, (packed.length >> 1) + 1000);
      for (const wrong of [packed.subarray(0, packed.length - 100), packed.subarray(0, 8), damaged])
        await assert.rejects(expand(pieces(wrong, 4096)), { kind: "data-loss" });
    });

    test("closes its source when its reader leaves, and passes on what the source throws", async () => {
      let closed = false;
      const endless = async function* () {
        try {
          for (;;) yield packed;
        } finally {
          closed = true;
        }
      };
      for await (const _ of withoutForeignCompression(endless())) break;
      assert.ok(closed);
      const broken = async function* () {
        yield packed.subarray(0, 1000);
        throw new Error("the client left");
      };
      await assert.rejects(expand(broken()), /the client left/);
    });
  });
}
