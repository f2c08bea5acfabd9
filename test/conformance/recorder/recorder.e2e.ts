import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { openEngine } from "../../e2e/kit-engine.ts";
import { judge } from "./accepted.ts";
import { scenarios } from "./calls/index.ts";
import { compare, formatDifference, parseRecording } from "./compare.ts";
import { goldenPath, recordEngine } from "./golden.ts";

test("the engine answers as dockerd 28.5 was recorded to, but for what is accepted", async () => {
  const docker = parseRecording(await readFile(goldenPath, "utf8"));
  await using engine = await openEngine();
  const hawser = await recordEngine(engine, scenarios);
  assert.ok(hawser.size > 1100, `${hawser.size} answers`);
  const { unexplained, unneeded } = judge(compare(docker, hawser));
  assert.deepEqual(unexplained.map(formatDifference), []);
  assert.deepEqual(
    unneeded,
    [],
    "the list of accepted differences only shrinks: these do not occur any more",
  );
});
