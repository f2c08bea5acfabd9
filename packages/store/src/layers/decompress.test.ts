import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { Fault } from "@hawser/base";
import { defaultStoreLimits } from "../limits.ts";
import { decompress } from "./decompress.ts";

const data = randomBytes(3_000_000);

async function* pieces(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Through streams, and on this thread, where memory is used again on both sides: both must come to the same. */
async function expand(source: () => AsyncIterable<Uint8Array>, limits = {}): Promise<Buffer> {
  const all = { ...defaultStoreLimits, ...limits };
  const settle = async (parts: AsyncIterable<Uint8Array>) => {
    const copies: Buffer[] = [];
    try {
      for await (const part of parts) copies.push(Buffer.from(part));
      return Buffer.concat(copies);
    } catch (error) {
      return error;
    }
  };
  const streamed = await settle(decompress(source(), all));
  const memory = Buffer.alloc(100_000);
  const inThread = await settle(decompress(inOneMemory(source()), all, { room: () => memory }));
  if (Buffer.isBuffer(streamed)) assert.ok(Buffer.isBuffer(inThread) && inThread.equals(streamed));
  else assert.deepEqual(kindOf(inThread), kindOf(streamed));
  if (!Buffer.isBuffer(streamed)) throw streamed;
  return streamed;
}

/** What a chunk was is lost when the next one is asked for. */
async function* inOneMemory(source: AsyncIterable<Uint8Array>) {
  const memory = Buffer.alloc(data.length * 2);
  for await (const chunk of source) {
    memory.set(chunk);
    yield memory.subarray(0, chunk.length);
    memory.fill(0xee, 0, chunk.length);
  }
}

function kindOf(error: unknown): string {
  return Fault.is(error) ? error.kind : String(error);
}

test("decompress() tells the compression by the first bytes, however they come", async () => {
  for (const bytes of [data, gzipSync(data), zstdCompressSync(data)]) {
    for (const size of [bytes.length, 100_000])
      assert.ok((await expand(() => pieces(bytes, size))).equals(data));
    for (const size of [1, 3])
      assert.equal((await expand(() => pieces(gzipSync("short"), size))).toString(), "short");
  }
  assert.equal((await expand(() => pieces(Buffer.alloc(0), 1))).length, 0);
  assert.equal((await expand(() => pieces(Buffer.from("ab"), 1))).toString(), "ab");
});

test("decompress() reads several members as one", async () => {
  const halves = [data.subarray(0, 1000), data.subarray(1000)];
  for (const compress of [gzipSync, zstdCompressSync]) {
    assert.ok(
      (await expand(() => pieces(Buffer.concat(halves.map((half) => compress(half))), 4096))).equals(data),
    );
  }
});

test("decompress() reads every form of zstd frame", async () => {
  const zeros = Buffer.alloc(6 << 20);
  const skippable = Buffer.from("5e2a4d1803000000616263", "hex");
  const { ZSTD_c_checksumFlag: checksum, ZSTD_c_contentSizeFlag: size, ZSTD_c_windowLog: window } = constants;
  for (const params of [{}, { [checksum]: 1 }, { [size]: 0 }, { [checksum]: 1, [size]: 0, [window]: 25 }]) {
    const frame = (input: Uint8Array) => zstdCompressSync(input, { params });
    const several = [
      skippable,
      frame(data),
      skippable,
      frame(Buffer.alloc(0)),
      frame(zeros),
      frame(Buffer.from("end")),
      skippable,
    ];
    for (const length of [1000, 1 << 20]) {
      const expanded = await expand(() => pieces(Buffer.concat(several), length));
      assert.ok(expanded.equals(Buffer.concat([data, zeros, Buffer.from("end")])), JSON.stringify(params));
    }
  }
});

test("decompress() closes its source when its reader leaves, and passes on what the source throws", async () => {
  for (const bytes of [data, gzipSync(data), zstdCompressSync(data)]) {
    let closed = 0;
    const source = async function* () {
      try {
        yield* pieces(bytes, 10_000);
        throw new Error("source failed");
      } finally {
        closed++;
      }
    };
    for await (const _ of decompress(source(), defaultStoreLimits)) break;
    assert.equal(closed, 1);
    await assert.rejects(expand(source), /source failed/);
    assert.equal(closed, 3);
  }
});

test("decompress() refuses what is damaged, cut off, or expands without end", async () => {
  const refuses = (bytes: Uint8Array, kind: "data-loss" | "invalid-argument", limits = {}) =>
    assert.rejects(
      expand(() => pieces(bytes, 5000), limits),
      (error) => Fault.is(error, kind),
    );
  for (const compress of [gzipSync, zstdCompressSync]) {
    const bytes = compress(data);
    await refuses(bytes.subarray(0, -5), "data-loss");
    await refuses(Buffer.concat([bytes, Buffer.from("garbage after the end")]), "data-loss");
    await refuses(bytes, "invalid-argument", { maxExpandedBytes: data.length - 1 });
    const zeros = compress(Buffer.alloc(data.length));
    await refuses(zeros, "invalid-argument", { maxExpansionRatio: 100, ratioFromBytes: 1 << 20 });
    assert.equal(
      (await expand(() => pieces(zeros, 5000), { maxExpansionRatio: 100, ratioFromBytes: data.length }))
        .length,
      data.length,
    );
  }
  await refuses(Buffer.from("BZh9"), "invalid-argument");
});
