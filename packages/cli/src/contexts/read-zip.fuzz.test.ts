import assert from "node:assert/strict";
import { fuzz } from "@hawser/base/testing/fuzz";
import fc from "fast-check";
import { writeZip } from "../testing/write-zip.ts";
import { readZip } from "./read-zip.ts";

const archive = writeZip([{ name: "a", data: Buffer.from("some text"), deflate: true }]);

fuzz(
  "a damaged zip file is refused with words, or gives no more than it may",
  fc.array(fc.tuple(fc.nat(archive.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
  (damage) => {
    const damaged = Buffer.from(archive);
    for (const [at, byte] of damage) damaged[at] = byte;
    try {
      const files = readZip(damaged, { maxBytes: 1000 });
      assert.ok(files.reduce((sum, { data }) => sum + data.length, 0) <= 1000);
    } catch (error) {
      assert.ok(error instanceof Error && error.message !== "");
    }
  },
);
