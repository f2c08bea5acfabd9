import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { openTempDir } from "@hawser/base/testing";
import { Inflater } from "./index.ts";
import { damagedBy, type Expanded, expandByZlib, type GzipCase, gzipCases } from "./testing/gzip-cases.ts";
import { expandSanitized } from "./testing/sanitized-expander.ts";

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

test("what is expanded, and what is refused, is what zlib expands and refuses, with its words", async () => {
  const cases = [...gzipCases(800, 1)];
  const expected = cases.map(expandByZlib);
  const told = new Set(expected.map((each) => (each.kind === "damaged" ? each.message : each.kind)));
  assert.ok(told.size >= 18, `cases of all kinds: ${[...told].join(", ")}`);
  for (const [at, each] of cases.entries()) assert.deepEqual(expand(each), expected[at], `case ${at}`);
  await using folder = await openTempDir("hawser-expand-");
  const sanitized = await expandSanitized(folder.path, cases);
  for (const at of cases.keys()) assert.deepEqual(sanitized[at], expected[at], `case ${at}, with sanitizers`);
});

function expand({ archive, inputStep, outputStep }: GzipCase): Expanded {
  const inflater = new Inflater();
  const room = Buffer.alloc(outputStep);
  const parts: Buffer[] = [];
  try {
    for (let [at, isFull] = [0, false]; at < archive.length || isFull; ) {
      const { read, written, ended } = inflater.inflate(archive.subarray(at, at + inputStep), room);
      parts.push(Buffer.from(room.subarray(0, written)));
      if (ended) return { kind: "ended", bytes: Buffer.concat(parts) };
      at += read;
      isFull = written === outputStep;
    }
    return { kind: "more", bytes: Buffer.concat(parts) };
  } catch (error) {
    return damagedBy(error);
  }
}
