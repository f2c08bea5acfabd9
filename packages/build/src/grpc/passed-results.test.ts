import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { DefinitionSchema } from "./generated/llb_pb.ts";
import { PassedResults } from "./passed-results.ts";

test("a result that was passed on is found again, another's graph is not one", () => {
  const passed = new PassedResults();
  const result = { config: Buffer.from("{}") };
  const definition = passed.describe("one", result);
  assert.equal(passed.find(definition), result);
  assert.deepEqual(Object.keys(definition.metadata).length, 2);
  const foreign = create(DefinitionSchema, { def: [Buffer.from([])] });
  assert.throws(() => passed.find(foreign), { kind: "invalid-argument" });
  assert.equal(passed.find(create(DefinitionSchema, {})), undefined);
  assert.equal(passed.describe("two", { config: undefined, definition: foreign }), foreign);
  for (let at = 0; at < 300; at++) passed.describe(`later ${at}`, result);
  assert.throws(() => passed.find(definition), { kind: "not-found" });
});
