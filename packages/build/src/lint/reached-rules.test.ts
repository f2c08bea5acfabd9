import assert from "node:assert/strict";
import { test } from "node:test";
import { invalidAsWhole, invalidAt } from "../dockerfile/faults.ts";
import { parseNodes } from "../dockerfile/parse-dockerfile.ts";
import { lintDockerfile } from "./lint-dockerfile.ts";

const source = `FROM busybox$X AS Upper
MAINTAINER me
ENV a b
ENV c d
FROM busybox$Y
MAINTAINER me
`;

/** Rule and line of what is told of a Dockerfile that fails. */
const found = (text: string, failure: unknown) =>
  lintDockerfile(parseNodes(text), text, { failure }).warnings.map(
    ({ rule, range }) => `${range.firstLine} ${rule}`,
  );
const at = (line: number) => invalidAt({ firstLine: line, lastLine: line }, "x");

test("of a build that fails only what was looked for before is told", () => {
  const read = ["1 StageNameCasing", "2 MaintainerDeprecated"];
  const bases = ["1 UndefinedArgInFrom", "5 UndefinedArgInFrom"];
  const sorted = (...rules: readonly string[]) => rules.toSorted();
  const told = (text: string, failure: unknown) => sorted(...found(text, failure));
  const all = [...read, "6 MaintainerDeprecated"];
  assert.deepEqual(told(source.replace("ENV c d", "NOPE"), at(4)), sorted(...read));
  assert.deepEqual(told(source, at(1)), sorted(...all, "1 UndefinedArgInFrom"));
  assert.deepEqual(told(source, invalidAsWhole("x")), sorted(...all, ...bases));
  assert.deepEqual(told(source, at(3)), sorted(...all, ...bases, "3 LegacyKeyValueFormat"));
});
