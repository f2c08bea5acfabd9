import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "../fault.ts";
import { readTar } from "./read-tar.ts";
import { writeTar } from "./tar-writer.ts";

const entries = ["a", "b", "c"].map((path) => ({
  path,
  type: "file" as const,
  content: Buffer.alloc(2000, path),
}));

test("readTar() skips what its reader leaves unread", async () => {
  const seen: string[] = [];
  for await (const { entry, data } of readTar(writeTar(entries))) {
    seen.push(entry.path.toString());
    if (entry.path.toString() === "b") for await (const _ of data) break;
  }
  assert.deepEqual(seen, ["a", "b", "c"]);
});

test("readTar() gives the content of each entry", async () => {
  const contents: string[] = [];
  for await (const { data } of readTar(writeTar(entries))) {
    contents.push(Buffer.concat(await Array.fromAsync(data)).toString());
  }
  assert.deepEqual(
    contents,
    ["a", "b", "c"].map((letter) => letter.repeat(2000)),
  );
});

test("readTar() closes its source when the reader leaves, and passes on its failure", async () => {
  let closed = false;
  async function* source() {
    try {
      yield* writeTar(entries);
      throw new Error("source failed");
    } finally {
      closed = true;
    }
  }
  for await (const _ of readTar(source())) break;
  assert.equal(closed, true);
  await assert.rejects(Array.fromAsync(readTar(source())), /source failed/);
});

test("writeTar() refuses content of another length than it said", async () => {
  for (const sizeBytes of [4, 6]) {
    const content = {
      sizeBytes,
      open: () =>
        (async function* () {
          yield Buffer.from("12345");
        })(),
    };
    await assert.rejects(Array.fromAsync(writeTar([{ path: "f", type: "file", content }])), (error) =>
      Fault.is(error, "data-loss"),
    );
  }
});
