import assert from "node:assert/strict";
import fc from "fast-check";
import { fuzz, inPieces, orRefused } from "../testing/fuzz.ts";
import { TarParser } from "./tar-parser.ts";
import { formatTarHeader } from "./tar-writer.ts";

const entry = fc.oneof(
  fc.record({
    path: fc
      .string({ minLength: 1, maxLength: 300, unit: "binary" })
      .map((text) => text.replaceAll("\0", "0")),
    content: fc.uint8Array({ maxLength: 1500 }),
  }),
);

/** An archive of some files, then bytes changed, blocks cut away or doubled. */
const archive = fc
  .record({
    entries: fc.array(entry, { maxLength: 4 }),
    changes: fc.array(fc.record({ at: fc.nat(8000), byte: fc.nat(255) }), { maxLength: 6 }),
    cut: fc.option(fc.nat(8000)),
  })
  .map(({ entries, changes, cut }) => {
    const bytes = Buffer.concat(
      entries.flatMap(({ path, content }) => [
        formatTarHeader({ path, type: "file", content: Buffer.from(content) }),
        Buffer.from(content),
        Buffer.alloc((512 - (content.length % 512)) % 512),
      ]),
    );
    for (const { at, byte } of changes) if (at < bytes.length) bytes[at] = byte;
    return cut === null ? bytes : bytes.subarray(0, cut);
  });

function read(bytes: Uint8Array, sizes: readonly number[]): string | undefined {
  return orRefused(["data-loss", "invalid-argument"], () => {
    const parser = new TarParser({ maxEntries: 100, maxMetadataBytes: 10_000 });
    let told = "";
    let dataBytes = 0;
    for (const piece of inPieces(bytes, sizes)) {
      for (const event of parser.feed(piece)) {
        if (event.kind === "entry") told += `${event.entry.type} ${event.entry.path.toString("hex")}\n`;
        else if (event.kind === "data") dataBytes += event.bytes.length;
        assert.ok(dataBytes <= bytes.length, "no more comes out than went in");
      }
    }
    parser.finish();
    return `${told}${dataBytes}`;
  });
}

fuzz(
  "an archive, damaged or not, is read or refused, the same in whatever pieces it comes",
  fc.tuple(archive, fc.array(fc.integer({ min: 1, max: 2000 }), { maxLength: 5 })),
  ([bytes, sizes]) => assert.equal(read(bytes, sizes), read(bytes, [])),
);

fuzz("bytes that are no archive are refused, or empty", fc.uint8Array({ maxLength: 3000 }), (bytes) => {
  read(bytes, []);
});
