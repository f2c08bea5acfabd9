import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { Inflater } from "./index.ts";

const output = Buffer.alloc(1000);

test("an inflater stops where the input is read, the output is full, or a member ends, and goes on there", () => {
  const data = randomBytes(2500);
  const archive = Buffer.concat([gzipSync(data), gzipSync("another")]);
  const inflater = new Inflater();
  const members: Buffer[][] = [[]];
  let at = 0;
  while (at < archive.length) {
    const { read, written, ended } = inflater.inflate(archive.subarray(at, at + 700), output);
    assert.ok(read > 0 || written > 0);
    at += read;
    members.at(-1)?.push(Buffer.from(output.subarray(0, written)));
    if (ended) members.push([]);
  }
  const whole = members.map((parts) => Buffer.concat(parts));
  assert.deepEqual(whole, [data, Buffer.from("another"), Buffer.alloc(0)]);
  assert.deepEqual(inflater.inflate(Buffer.alloc(0), output), { read: 0, written: 0, ended: false });
});

test("what is damaged is refused with zlib's code", () => {
  const damaged = gzipSync(randomBytes(500)).fill(0xff, 100, 200);
  assert.throws(() => new Inflater().inflate(damaged, output), { code: "Z_DATA_ERROR" });
  assert.throws(() => new Inflater().inflate(Buffer.from("not gzip"), output), { code: "Z_DATA_ERROR" });
  const { written, ended } = new Inflater({ checks: false }).inflate(damaged, output);
  assert.deepEqual([written, ended], [500, true], "but by who compares digests");
});
