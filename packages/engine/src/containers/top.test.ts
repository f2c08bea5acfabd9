import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePs } from "./top.ts";

test("lines of the container's processes are kept, their columns split, the last one whole", () => {
  const output = "UID   PID CMD\nroot    1 init -x  y\nroot   20 sh -c  a b\nroot   21 z\n";
  assert.deepEqual(parsePs(output, new Set(["20", "21"])), {
    titles: ["UID", "PID", "CMD"],
    processes: [
      ["root", "20", "sh -c a b"],
      ["root", "21", "z"],
    ],
  });
});

test("a thread's line belongs to the process above it", () => {
  const output = "PID CMD\n1 init\n- -\n20 sh\n- -\n";
  assert.deepEqual(parsePs(output, new Set(["20"])).processes, [
    ["20", "sh"],
    ["-", "-"],
  ]);
});

test("without a column PID nothing can be told", () => {
  assert.throws(() => parsePs("UID CMD\n", new Set()), { message: "Couldn't find PID field in ps output" });
});
