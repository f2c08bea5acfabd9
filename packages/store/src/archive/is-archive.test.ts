import { equal } from "node:assert/strict";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { formatTarHeader, type TarSource } from "@hawser/base";
import { isArchive } from "./is-archive.ts";

const entry: TarSource = { path: "f", type: "file", mode: 0o644, content: Buffer.from("text") };
const archive = Buffer.concat([
  formatTarHeader(entry),
  Buffer.from("text".padEnd(512, "\0")),
  Buffer.alloc(1024),
]);
/** As tar wrote them before ustar: no magic, another checksum. */
const old = Buffer.from(archive);
old.fill(0, 257, 512);
const sum = old.subarray(0, 512).reduce((all, byte, at) => all + (at >= 148 && at < 156 ? 32 : byte), 0);
old.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
const text = Buffer.from("just text, and more of it\n".repeat(100));

for (const [what, bytes, expected] of [
  ["an archive", archive, true],
  ["an archive of old", old, true],
  ["a gzipped one", gzipSync(archive), true],
  ["one by zstd", zstdCompressSync(archive), true],
  ["the beginning of one", archive.subarray(0, 600), true],
  ["text", text, false],
  ["gzipped text", gzipSync(text), false],
  ["a gzipped word", gzipSync("word"), false],
  ["text by zstd", zstdCompressSync(text), false],
  ["half of a gzip file", gzipSync(text).subarray(0, 20), false],
  ["nothing", Buffer.alloc(0), false],
  ["zeros", Buffer.alloc(4096), false],
] as const) {
  test(`${what} is ${expected ? "" : "no "}archive to be unpacked`, async () => {
    equal(
      await isArchive(
        (async function* () {
          yield bytes;
        })(),
      ),
      expected,
    );
  });
}
