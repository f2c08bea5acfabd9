import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type BuildkitClient, openBuildkitClient, openFiles } from "./kit-buildkit.ts";
import type { CommandResult } from "./kit-process.ts";
import { againstDockerd, useTarget } from "./kit-target.ts";

interface Wrong {
  readonly text: string;
  readonly args?: readonly string[];
  readonly says: string;
  /** The lines that are marked; none: the error is about the Dockerfile as a whole. */
  readonly marks?: readonly number[];
}

const on = "FROM busybox\n";
const parse = "dockerfile parse error on line 2:";

/** By what is wrong, in Dockerfiles of one line more than `FROM busybox`, which is the one that is marked. */
const lines: Readonly<Record<string, readonly [line: string, says: string]>> = {
  "an unknown instruction": ["NONSENSE x", `${parse} unknown instruction: NONSENSE`],
  "a mistyped one": ["COPPY a b", `${parse} unknown instruction: COPPY (did you mean COPY?)`],
  "a mistyped one in small letters": [
    "coppy a b",
    `${parse} unknown instruction: coppy (did you mean copy?)`,
  ],
  "nothing to copy": [
    "COPY a",
    `${parse} COPY requires at least two arguments, but only one was provided. Destination could not be determined`,
  ],
  "no argument": ["EXPOSE", `${parse} EXPOSE requires at least one argument`],
  "not one argument": ["WORKDIR", `${parse} WORKDIR requires exactly one argument`],
  "SHELL without a list": ["SHELL bash -c", `${parse} SHELL requires the arguments to be in JSON form`],
  "a list of other things": [
    'CMD ["a", 1]',
    "when using JSON array syntax, arrays must be comprised of strings only",
  ],
  "a mistyped flag": ["RUN --mout=x true", `${parse} unknown flag: --mout (did you mean mount?)`],
  "a flag where there are none": ["ENV --x a=b", `${parse} unknown flag: --x`],
  "a flag twice": ["COPY --chown=1 --chown=2 a b", `${parse} duplicate flag specified: --chown`],
  "a flag without its value": ["COPY --from a b", `${parse} missing a value on flag: --from`],
  "a flag that is no truth": [
    "COPY --link=maybe a b",
    `${parse} expecting boolean value for flag --link, not: maybe`,
  ],
  "an argument without a name": ["ARG =x", `${parse} ARG names can not be blank`],
  "a variable without a value": ["ENV a", "ENV must have two arguments"],
  "a label without =": ["LABEL a=b c", `Syntax error - can't find = in "c". Must be of the form: name=value`],
  "a port of another protocol": ["EXPOSE 80/tcp/udp", 'invalid port: "80/tcp/udp": invalid proto: tcp/udp'],
  "a port that is too high": ["EXPOSE 70000", "invalid containerPort: 70000"],
  "a health check of another kind": [
    "HEALTHCHECK foo true",
    `${parse} Unknown type "FOO" in HEALTHCHECK (try CMD)`,
  ],
  "a health check's times": [
    "HEALTHCHECK --interval=-1s CMD true",
    `${parse} Interval "interval" cannot be less than 1ms`,
  ],
  "a health check's retries": [
    "HEALTHCHECK --retries=x CMD true",
    `${parse} strconv.ParseInt: parsing "x": invalid syntax`,
  ],
  "ONBUILD of itself": [
    "ONBUILD ONBUILD RUN true",
    `${parse} Chaining ONBUILD via \`ONBUILD ONBUILD\` isn't allowed`,
  ],
  "ONBUILD of a stage": ["ONBUILD from x", `${parse} FROM isn't allowed as an ONBUILD trigger`],
  "a stage's name": [
    "FROM busybox AS 1a",
    `${parse} invalid name for build stage: "1a", name can't start with a number or contain symbols`,
  ],
  "a stage without a name": ["FROM busybox AS", `${parse} FROM requires either one or three arguments`],
  "an image's name": [
    "FROM a/B:c",
    'failed to parse stage name "a/B:c": invalid reference format: repository name (a/B) must be lowercase',
  ],
  "a platform": [
    "FROM --platform=bad/linux/a! busybox",
    'failed to parse platform bad/linux/a!: "a!" is an invalid component of "bad/linux/a!": platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument',
  ],
  "a platform that a mistyped variable has": [
    "FROM --platform=$TARGETPLATFRM busybox",
    "empty platform value from expression $TARGETPLATFRM (did you mean TARGETPLATFORM?)",
  ],
  "a variable that has to be": ["USER ${x:?no x}", 'failed to process "${x:?no x}": x: no x'],
  "a variable that is not closed": ["ENV a=${x:-y", `failed to process "\${x:-y": syntax error: missing '}'`],
  "no variable": ["ENV a=${}", 'failed to process "${}": syntax error: bad substitution'],
  "an unknown modifier": [
    "ENV a=${x:=y}",
    'failed to process "${x:=y}": unsupported modifier (:=) in substitution',
  ],
  "a quote that is not closed": [
    "ENV a='b",
    `failed to process "'b": unexpected end of statement while looking for matching single-quote`,
  ],
  "an unknown kind of mount": [
    "RUN --mount=type=cach,target=/a true",
    'unsupported mount type "cach" (did you mean cache?)',
  ],
  "an unknown key of a mount": [
    "RUN --mount=type=cache,taget=/a true",
    "unexpected key 'taget' in 'taget=/a' (did you mean target?)",
  ],
  "a quote in a mount": [
    "RUN --mount='type=cache,\"target=/a' true",
    `${parse} failed to parse csv mounts: parse error on line 1, column 13: extraneous or missing " in quoted-field`,
  ],
  "a mount of a variable stage": [
    "RUN --mount=from=$x,target=/a true",
    `${parse} 'from' doesn't support variable expansion, define alias stage instead`,
  ],
  "an unknown network": ["RUN --network=foo true", `${parse} invalid network mode "foo"`],
  "an unknown signal": ["STOPSIGNAL NOPE", "invalid signal: NOPE"],
  "rights that are none": [
    "COPY --chmod=999 file /",
    "invalid chmod parameter: '999'. it should be octal string and between 0 and 07777",
  ],
  "a process that fails": [
    'RUN echo "a" && exit 7',
    'process "/bin/sh -c echo \\"a\\" && exit 7" did not complete successfully: exit code: 7',
  ],
  "a program that is not there": [
    'RUN ["/nosuch"]',
    'process "/nosuch" did not complete successfully: exit code: 1',
  ],
  "a file that is not there": [
    "COPY nofile /",
    'failed to compute cache key: failed to calculate checksum of ref R: "/nofile": not found',
  ],
  "a file that an image has not": [
    "COPY --from=busybox /nofile /",
    "lstat /nofile: no such file or directory",
  ],
};

const others: Readonly<Record<string, Wrong>> = {
  "an empty file": { text: "", says: "the Dockerfile cannot be empty" },
  "a file of comments": { text: "# a\n# b\n", says: "file with no instructions", marks: [2] },
  "no stage": { text: "ARG a=b\n", says: "dockerfile contains no stages to build" },
  "an instruction before all stages": {
    text: `RUN true\n${on}`,
    says: "no build stage in current context",
    marks: [1],
  },
  "a flag in a stage that nobody needs": {
    text: "FROM busybox AS a\nRUN --foo true\nFROM busybox\nRUN true\n",
    says: `${parse} unknown flag: --foo`,
    marks: [2],
  },
  "an instruction of several lines": {
    text: `${on}\nRUNN a \\\n  b \\\n# c\n  d\n\nRUN true\n`,
    says: "dockerfile parse error on line 3: unknown instruction: RUNN (did you mean RUN?)",
    marks: [3, 4, 5, 6],
  },
  "a text without end": {
    text: `${on}RUN <<A cat <<B\nx\nA\ny\n`,
    says: "unterminated heredoc",
    marks: [2, 3, 4, 5],
  },
  "a text for a place": {
    text: `${on}COPY a <<EOF\nx\nEOF\n`,
    says: `${parse} COPY cannot accept a heredoc as a destination`,
    marks: [2, 3, 4],
  },
  "a check that nobody knows": {
    text: `# check=foo=bar\n${on}`,
    says: 'failed to parse check options: invalid check option "foo"',
  },
  "a mistyped target": {
    text: "FROM busybox AS abc\n",
    args: ["--target", "abd"],
    says: 'target stage "abd" could not be found (did you mean abc?)',
  },
  "a stage's number": { text: `${on}COPY --from=5 a /\n`, says: "invalid stage index 5" },
  "a stage by a variable": {
    text: `${on}ARG x=y\nCOPY --from=$x a /\n`,
    says: "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround",
  },
  "a stage of its own files": {
    text: `${on}COPY --from=0 x /\n`,
    says: "circular dependency detected on stage: stage-0",
    marks: [2],
  },
  "stages of each other's files": {
    text: "FROM busybox AS a\nCOPY --from=b /x /\nFROM busybox AS b\nCOPY --from=a /x /\n",
    says: "circular dependency detected on stage: a",
    marks: [4, 2],
  },
  "a stage that comes later": {
    text: "FROM busybox AS a\nCOPY --from=b x /\nFROM busybox AS b\nFROM a\n",
    says: 'cannot copy from stage "b", it needs to be defined before current stage "a"',
    marks: [2],
  },
  "a mount of a stage that comes later": {
    text: "FROM busybox AS a\nRUN --mount=from=b,target=/m true\nFROM busybox AS b\nFROM a\n",
    says: 'cannot mount from stage "b" to "/m", stage needs to be defined before current command',
    marks: [2],
  },
  "what an ONBUILD of the stage below triggers": {
    text: "FROM busybox AS a\nONBUILD RUN --nope true\nFROM a\nRUN true\n",
    says: "unknown flag: --nope",
    marks: [3],
  },
  "a file that such a trigger wants": {
    text: "FROM busybox AS a\nONBUILD COPY nofile /\nFROM a\nRUN true\n",
    says: 'failed to compute cache key: failed to calculate checksum of ref R: "/nofile": not found',
    marks: [3],
  },
  "a network that is not allowed": {
    text: `${on}RUN --network=host true\n`,
    says: "failed to load LLB: network.host is not allowed",
  },
};

const cases: Readonly<Record<string, Wrong>> = {
  ...Object.fromEntries(
    Object.entries(lines).map(([what, [line, says]]) => [what, { text: `${on}${line}\n`, says, marks: [2] }]),
  ),
  ...others,
};

/** What a client has said, whatever a builder calls the files that it has got. */
function told({ stderr }: CommandResult) {
  const [, says = stderr] =
    /^ERROR: (?:failed to build: )?failed to (?:solve|run Build function): (.*)$/m.exec(stderr) ?? [];
  return {
    says: says.replace(/checksum of ref [^ ]+: /, "checksum of ref R: "),
    // One place may be shown twice.
    marks: [...new Set([...stderr.matchAll(/^ *(\d+) \| >>>/gm)].map(([, number]) => Number(number)))],
  };
}

describe("what is wrong with a Dockerfile", () => {
  const target = useTarget();
  let client: BuildkitClient;
  before(async () => {
    client = await openBuildkitClient(target, "sid");
  });
  after(() => client[Symbol.asyncDispose]());

  for (const [what, { text, args = [], says, marks = [] }] of Object.entries(cases)) {
    test(`is told with its lines: ${what}`, async () => {
      await using dir = await openFiles({ Dockerfile: text, file: "" });
      const built = await client.run(["buildx", "build", ...args, dir.path]);
      assert.deepEqual({ exitCode: built.exitCode, ...told(built) }, { exitCode: 1, says, marks });
      const [first] = marks;
      if (first !== undefined) assert.match(built.stderr, new RegExp(`^Dockerfile:${first}\\n-{20}\\n`, "m"));
      if (againstDockerd) return;
      const own = await target.engine().hawser(["build", "--progress", "plain", ...args, dir.path]);
      assert.deepEqual({ exitCode: own.exitCode, ...told(own) }, { exitCode: 1, says, marks });
    });
  }

  test("is told of the step that has failed, by its stage and by how its text begins", async () => {
    const steps: Readonly<Record<string, string>> = {
      [`${on}RUN <<EOF\necho hi\nexit 3\nEOF\n`]: "[2/2] RUN <<EOF (echo hi...)",
      [`${on}RUN --mount=type=cache,target=/c <<EOF\nexit 3\nEOF\n`]:
        "[stage-0 2/2] RUN --mount=type=cache,target=/c <<EOF (exit 3)",
      "FROM busybox AS Me\nONBUILD RUN exit 3\nFROM me\n": "[stage-1 1/1] ONBUILD RUN exit 3",
    };
    for (const [text, step] of Object.entries(steps)) {
      await using dir = await openFiles({ Dockerfile: text });
      const { stderr } = await client.run(["buildx", "build", dir.path]);
      assert.equal(/^ > (.*):$/m.exec(stderr)?.[1], step, stderr);
    }
  });

  test("is told to clients of the classic API, with the code that a process has", async () => {
    const wanted: Readonly<Record<string, readonly [exitCode: number, says: RegExp]>> = {
      [`${on}FOO\n`]: [1, /: dockerfile parse error on line 2: unknown instruction: FOO /],
      [`${on}ENV a\n`]: [1, /: failed to parse Dockerfile: ENV must have two arguments\n/],
      "": [1, /: the Dockerfile \(Dockerfile\) cannot be empty\n/],
      [`${on}ENV a=\${\n`]: [1, /failed to process "\${": syntax error: missing '}'\n/],
      [`${on}COPY nofile /\n`]: [1, /excluded by .dockerignore: stat nofile: file does not exist\n/],
      [`${on}COPY --from=busybox /nofile /\n`]: [1, /^COPY failed: stat nofile: file does not exist\n/m],
      [`${on}RUN exit 7\n`]: [7, /^The command '\/bin\/sh -c exit 7' returned a non-zero code: 7\n/m],
    };
    for (const [text, [exitCode, says]] of Object.entries(wanted)) {
      await using dir = await openFiles({ Dockerfile: text, file: "" });
      const built = await target.docker(["build", dir.path]);
      assert.match(built.stderr, says);
      assert.equal(built.exitCode, exitCode, built.stderr);
    }
  });

  test("is told after the warnings about what comes before", async () => {
    const text = "FROM busybox AS Upper\nENV a b\nUSER $nobody\nENV c=${\nENV d e\n";
    await using dir = await openFiles({ Dockerfile: text });
    const { stderr } = await client.run(["buildx", "build", dir.path]);
    const warned = [...stderr.matchAll(/ - (\w+): .* \(line (\d+)\)$/gm)].map(
      ([, rule, line]) => `${line} ${rule}`,
    );
    assert.deepEqual(
      warned.toSorted(),
      ["1 StageNameCasing", "2 LegacyKeyValueFormat", "3 UndefinedVar"],
      stderr,
    );
    await using unread = await openFiles({
      Dockerfile: "FROM busybox AS Upper\nENV a b\nFOO\nMAINTAINER x\n",
    });
    const read = await client.run(["buildx", "build", unread.path]);
    assert.deepEqual(read.stderr.match(/ - \w+/g), [" - StageNameCasing"], read.stderr);
  });
});
