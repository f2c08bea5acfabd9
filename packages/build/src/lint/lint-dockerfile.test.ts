import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseDockerfile } from "../dockerfile/parse-dockerfile.ts";
import { lintDockerfile } from "./lint-dockerfile.ts";

const lint = (source: string) => lintDockerfile(parseDockerfile(source), source);
/** Rule and line of each warning. */
const found = (source: string) =>
  lint(source).warnings.map(({ rule, range }) => `${rule} ${range.firstLine}`);

describe("lintDockerfile()", () => {
  test("has nothing to say of what is as it should be", () => {
    const source = `ARG TAG=1
FROM --platform=$BUILDPLATFORM busybox:\${TAG} AS build
ARG PUBLIC_KEY
ENV A=1 B="2 3"
WORKDIR /app
WORKDIR sub
EXPOSE 80/tcp
RUN a && \\
    # a comment
    b
FROM busybox:\${OTHER:-1}
SHELL ["/bin/ash"]
CMD echo
`;
    assert.deepEqual(found(source), []);
  });

  const cases: Readonly<Record<string, readonly [string, readonly string[]]>> = {
    casing: [
      "FROM a\nRun b\nrun c\nCOPY a b\n",
      ["ConsistentInstructionCasing 2", "ConsistentInstructionCasing 3"],
    ],
    "lower case": ["from a\nrun b\nCOPY a b\n", ["ConsistentInstructionCasing 3"]],
    stages: [
      "FROM a as One\nFROM b AS one\nFROM c AS scratch\n",
      ["FromAsCasing 1", "StageNameCasing 1", "DuplicateStageName 2", "ReservedStageName 3"],
    ],
    "an empty line within": ["FROM a\nRUN b \\\n\n  c\n", ["NoEmptyContinuation 4"]],
    "texts of a shell": [
      'FROM a\nCMD b\nENTRYPOINT c\nCMD ["d"]\n',
      ["JSONArgsRecommended 2", "MultipleInstructionsDisallowed 2", "JSONArgsRecommended 3"],
    ],
    "old ways": [
      "FROM a\nMAINTAINER b\nENV c d\nLABEL e f\nWORKDIR g\n",
      ["MaintainerDeprecated 2", "LegacyKeyValueFormat 3", "LegacyKeyValueFormat 4", "WorkdirRelativePath 5"],
    ],
    bases: [
      "FROM --platform=linux/amd64 a:$V\nFROM --platform=$TARGETPLATFORM b\n",
      ["UndefinedArgInFrom 1", "FromPlatformFlagConstDisallowed 1", "RedundantTargetPlatform 2"],
    ],
    secrets: [
      "ARG API_KEY\nFROM a\nENV db_password=x TOKENIZER=y PUBLIC_KEY=z\n",
      ["SecretsUsedInArgOrEnv 1", "SecretsUsedInArgOrEnv 3"],
    ],
    ports: ["FROM a\nEXPOSE 80/TCP 127.0.0.1:80:80\n", ["ExposeProtoCasing 2", "ExposeInvalidFormat 2"]],
  };
  for (const [what, [source, wanted]] of Object.entries(cases)) {
    test(`sees ${what}`, () => assert.deepEqual(found(source), wanted));
  }

  test("says what it is here, and where to read more", () => {
    const [warning] = lint("FROM a\nMAINTAINER b\n").warnings;
    assert.deepEqual(warning, {
      rule: "MaintainerDeprecated",
      description: "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
      url: "https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/",
      detail: "Maintainer instruction is deprecated in favor of using label",
      range: { firstLine: 2, lastLine: 2 },
    });
  });

  test("minds what the Dockerfile says of checks", () => {
    const body = "FROM a\nMAINTAINER b\nCMD c\n";
    assert.deepEqual(found(`# check=skip=MaintainerDeprecated\n${body}`), ["JSONArgsRecommended 4"]);
    assert.deepEqual(found(`# check=skip=all\n${body}`), []);
    assert.equal(lint(`# check=error=true\n${body}`).areErrors, true);
    assert.equal(lint(`# check=skip=all;error=true\n${body}`).areErrors, false);
    assert.equal(lint(body).areErrors, false);
  });
});
