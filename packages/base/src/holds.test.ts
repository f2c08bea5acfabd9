import assert from "node:assert/strict";
import { test } from "node:test";
import { Holds } from "./holds.ts";

test("a key is held until the last one lets go, and nobody lets go twice", () => {
  const holds = new Holds<string>();
  const [one, two] = [holds.hold("a"), holds.hold("a")];
  holds.hold("b");
  one[Symbol.dispose]();
  one[Symbol.dispose]();
  assert.deepEqual([...holds.keys()], ["a", "b"]);
  two[Symbol.dispose]();
  assert.ok(!holds.has("a") && holds.has("b"));
});
