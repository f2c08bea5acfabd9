import assert from "node:assert/strict";
import test from "node:test";
import { DetachScanner, parseDetachKeys } from "./detach-keys.ts";

test("parseDetachKeys() reads Docker's names of keys", () => {
  assert.deepEqual([...parseDetachKeys("")], [16, 17]);
  assert.deepEqual([...parseDetachKeys("ctrl-a,b,ctrl-@,ctrl-[,ctrl-\\,ctrl-_")], [1, 98, 0, 27, 28, 31]);
  for (const text of ["foo", "ctrl-", "a,", "ctrl-1", "é"]) assert.throws(() => parseDetachKeys(text), text);
});

test("DetachScanner finds the keys wherever input is cut, and gives the rest on", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["abc", "abc", false],
    ["xPQy", "x", true],
    ["PxPQ", "Px", true],
    ["PPQ", "P", true],
    ["P", "", false],
    ["PQ", "", true],
    ["QP", "Q", false],
  ];
  const bytes = (text: string) => Buffer.from(text.replaceAll("P", "\x10").replaceAll("Q", "\x11"));
  for (const [typed, wanted, detaches] of cases) {
    for (const size of [1, 2, 100]) {
      const scanner = new DetachScanner(bytes("PQ"));
      let input = "";
      let detached = false;
      const all = bytes(typed);
      for (let at = 0; at < all.length && !detached; at += size) {
        const result = scanner.scan(all.subarray(at, at + size));
        input += result.input.toString();
        detached = result.detached;
      }
      assert.deepEqual([input, detached], [bytes(wanted).toString(), detaches], `${typed} by ${size}`);
    }
  }
  assert.deepEqual(new DetachScanner(Buffer.alloc(0)).scan(bytes("PQ")), {
    input: bytes("PQ"),
    detached: false,
  });
});
