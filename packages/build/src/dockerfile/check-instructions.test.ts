import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Fault } from "@hawser/base";
import { rangesOf } from "./faults.ts";
import { parseDockerfile } from "./parse-dockerfile.ts";

/** What is said of a Dockerfile, and the lines that it is about. */
function refused(source: string) {
  try {
    parseDockerfile(source);
  } catch (error) {
    return [Fault.from(error).message, rangesOf(error)];
  }
  assert.fail(`taken: ${source}`);
}

const at = (firstLine: number, lastLine = firstLine) => [{ firstLine, lastLine }];

describe("instructions are refused in BuildKit's words", () => {
  const wanted: Readonly<Record<string, string>> = {
    "COPY --":
      "COPY requires at least two arguments, but only one was provided. Destination could not be determined",
    "COPY --lik a b": "unknown flag: --lik (did you mean link?)",
    "COPY --constructor=1 a b": "unknown flag: --constructor",
    "COPY --link= a b": "missing a value on flag: --link",
    "ADD --keep-git-dir=x a b": "expecting boolean value for flag --keep-git-dir, not: x",
    "LABEL =b": "LABEL names can not be blank",
    'VOLUME ["a", " "]': "VOLUME specified can not be an empty string",
    "SHELL []": "SHELL requires at least one argument",
    MAINTAINER: "MAINTAINER requires exactly one argument",
    "HEALTHCHECK --interval=1s --interval=2s CMD x": "duplicate flag specified: --interval",
    "HEALTHCHECK --retries=99999999999 CMD x": 'strconv.ParseInt: parsing "99999999999": value out of range',
    "HEALTHCHECK --retries=-1 CMD x": "--retries cannot be negative (-1)",
    "RUN --mount= x": "failed to parse csv mounts: EOF",
    "Runn x": "unknown instruction: Runn (did you mean run?)",
    "ONBUILD --x RUN y": "unknown flag: --x",
    "FROM b AS A$": 'invalid name for build stage: "A$", name can\'t start with a number or contain symbols',
  };
  for (const [line, words] of Object.entries(wanted)) {
    test(line, () => {
      assert.deepEqual(refused(`FROM a\n${line}\n`), [`dockerfile parse error on line 2: ${words}`, at(2)]);
    });
  }

  test("what BuildKit takes is taken", () => {
    const lines = [
      "RUN",
      "COPY --link=TRUE a b",
      "HEALTHCHECK --interval= CMD x",
      "HEALTHCHECK --interval=x NONE",
      "STOPSIGNAL --x 9",
      "ARG 1a=x b,c",
      "ONBUILD NOPE x",
      "RUN --mount=from=$ x",
      "EXPOSE 80/",
      "WORKDIR $a",
    ];
    assert.equal(parseDockerfile(`FROM a\n${lines.join("\n")}\n`).instructions.length, lines.length + 1);
  });

  test("what is no instruction at all comes first, wherever it is", () => {
    assert.deepEqual(refused("FROM a\nNOPE x\nENV y\n"), ["ENV must have two arguments", at(3)]);
    assert.deepEqual(refused("NOPE x\nRUN y\n"), [
      "dockerfile parse error on line 1: unknown instruction: NOPE (did you mean COPY?)",
      at(1),
    ]);
    assert.deepEqual(refused("ENV x=y\nFROM a\n"), ["no build stage in current context", at(1)]);
  });

  test("a text without end is meant to the end of the file, and a file without instructions at its last line", () => {
    assert.deepEqual(refused("FROM a\nRUN <<A\nx\n\n"), ["unterminated heredoc", at(2, 4)]);
    assert.deepEqual(refused("\n# x\n"), ["file with no instructions", at(2)]);
    assert.deepEqual(refused(""), ["the Dockerfile cannot be empty", []]);
  });

  test("a directive that is wrong is meant itself", () => {
    // BuildKit counts from nothing here, and marks the line before.
    assert.deepEqual(refused("# escape=`\n# escape=`\nFROM a"), [
      "only one escape parser directive can be used",
      at(2),
    ]);
  });
});
