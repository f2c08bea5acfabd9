import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Fault } from "@hawser/base";
import { expandWord, expandWords } from "./expand.ts";
import { rangeOf } from "./faults.ts";
import { type InstructionNode, parseDockerfile, parseNodes, parseTrigger } from "./parse-dockerfile.ts";

const data = join(import.meta.dirname, "testdata");
const read = (...parts: readonly string[]) => readFileSync(join(data, ...parts), "utf8");
/** As Go quotes. */
const quote = (text: string) => JSON.stringify(text).replaceAll("\\u0000", "\\x00");

/** BuildKit's way to write a parse tree. */
function dump(node: Omit<InstructionNode, "range">): string {
  const flags = node.flags.length === 0 ? "" : ` [${node.flags.map(quote).join(" ")}]`;
  if (node.inner !== undefined) return `(onbuild${flags} ${dump(node.inner)})`;
  return `(${[node.name.toLowerCase() + flags, ...node.args.map(quote)].join(" ")})`;
}

describe("parseDockerfile()", () => {
  for (const name of readdirSync(join(data, "valid"))) {
    test(`reads ${name}`, () => {
      const { instructions } = parseNodes(read("valid", name, "Dockerfile"));
      assert.equal(instructions.map(dump).join("\n"), read("valid", name, "result").trim());
    });
  }

  for (const name of readdirSync(join(data, "invalid"))) {
    test(`refuses ${name}`, () => {
      assert.throws(
        () => parseNodes(read("invalid", name, "Dockerfile")),
        (error) => Fault.is(error, "invalid-argument"),
      );
    });
  }

  test("tells the place of what is wrong", () => {
    try {
      parseDockerfile("FROM a\n\nRUN x \\\n  y\nNONSENSE here\n");
      assert.fail("it was taken");
    } catch (error) {
      assert.deepEqual(rangeOf(error), { firstLine: 5, lastLine: 5 });
      assert.equal(
        Fault.from(error).message,
        "dockerfile parse error on line 5: unknown instruction: NONSENSE",
      );
    }
  });

  test("of what is unknown says what is meant, and leaves it to whoever builds on the image", () => {
    assert.throws(() => parseDockerfile("FROM a\nCOPPY x /"), {
      message: "dockerfile parse error on line 2: unknown instruction: COPPY (did you mean COPY?)",
    });
    assert.equal(parseDockerfile("FROM a\nONBUILD NOPE x").instructions[1]?.inner?.name, "NOPE");
    const range = { firstLine: 1, lastLine: 1 };
    assert.throws(() => parseTrigger("NOPE x", { escape: "\\", range }), { message: /unknown instruction/ });
  });

  test("reads texts below an instruction", () => {
    const { instructions } = parseDockerfile(
      'FROM a\nRUN <<EOF cat\nfirst\n# not a comment\nEOF\nCOPY <<-"A B" <<B /x/\n\t\ta $b\nnone\nA\nRUN echo "<<no"\n'
        .replace('"A B"', '"A"')
        .replace("none\nA\n", "A\nb\nB\n"),
    );
    assert.deepEqual(
      instructions.map(({ heredocs, range }) => [heredocs, range.lastLine]),
      [
        [[], 1],
        [
          [
            {
              name: "EOF",
              content: "first\n# not a comment\n",
              raw: "first\n# not a comment\n",
              expands: true,
            },
          ],
          5,
        ],
        [
          [
            { name: "A", content: "a $b\n", raw: "\t\ta $b\n", expands: false },
            { name: "B", content: "b\n", raw: "b\n", expands: true },
          ],
          10,
        ],
        [[], 11],
      ],
    );
    assert.throws(() => parseDockerfile("FROM a\nRUN <<EOF\nno end\n"), { message: /unterminated heredoc/ });
  });

  test("reads their names as a shell does, and keeps the ends of their lines", () => {
    const source = "FROM a\r\nRUN <<\\A <<'B C' <<\"D\"e\r\n1\r\nA\r\n2\nB C\nDe\nRUN $((1<<2)) <<<x\n";
    const [, run, last] = parseDockerfile(source).instructions;
    assert.deepEqual(
      run?.heredocs.map(({ name, content, expands }) => [name, content, expands]),
      [
        ["A", "1\r\n", false],
        ["B C", "2\n", false],
        ["De", "", false],
      ],
    );
    assert.deepEqual(last?.heredocs, []);
  });

  test("reads the texts of what an ONBUILD triggers", () => {
    const [, node] = parseDockerfile("FROM a\nONBUILD RUN <<-EOF\n\t\tx\n\tEOF\n").instructions;
    assert.deepEqual(
      node?.heredocs.map(({ raw }) => raw),
      ["\t\tx\n"],
    );
    const range = { firstLine: 1, lastLine: 1 };
    const trigger = parseTrigger("RUN <<-EOF\n\t\tx\nEOF", { escape: "\\", range });
    assert.deepEqual(
      trigger.heredocs.map(({ content }) => content),
      ["x\n"],
    );
    assert.throws(() => parseTrigger("RUN x\nRUN y", { escape: "\\", range }), {
      message: "onbuild trigger should be a single expression",
    });
  });

  test("reads directives before anything else only", () => {
    const { directives, escape } = parseDockerfile("# syntax=docker/dockerfile:1\n# escape=`\nFROM a`\nb\n");
    assert.deepEqual(
      [...directives],
      [
        ["syntax", "docker/dockerfile:1"],
        ["escape", "`"],
      ],
    );
    assert.equal(escape, "`");
    assert.equal(parseDockerfile("FROM a\n# escape=`\n").escape, "\\");
    assert.throws(() => parseDockerfile("# escape=x\nFROM a"), { message: /invalid escape token/ });
  });

  test("never throws anything but its own fault, and ends", () => {
    const pieces = [
      "FROM a",
      "RUN",
      "\\",
      "\n",
      "<<EOF",
      "EOF",
      '"',
      "'",
      "[",
      "]",
      "$",
      "{",
      "}",
      " ",
      "#",
      "=",
      "ENV",
      "--x",
    ];
    let state = 7;
    const random = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (let round = 0; round < 3000; round++) {
      const text = Array.from({ length: 1 + random(30) }, () => pieces[random(pieces.length)]).join("");
      const escape = "\\";
      for (const work of [
        () => parseDockerfile(text),
        () => expandWords(text, { lookup: () => "v w", escape }),
      ]) {
        try {
          work();
        } catch (error) {
          if (!Fault.is(error, "invalid-argument")) throw error;
        }
      }
    }
    const started = performance.now();
    parseDockerfile(`FROM a\nRUN ${"\\\n".repeat(200_000)}x`);
    parseDockerfile(`FROM a\nRUN ${"x".repeat(10 << 20)}`);
    assert.ok(performance.now() - started < 20_000);
  });
});

describe("expandWord()", () => {
  const environment = new Map([
    ["PWD", "/home"],
    ["SHELL", "bash"],
    ["KOREAN", "한국어"],
    ["NULL", ""],
  ]);
  const cases = read("words-of-variables.txt")
    .split("\n")
    .filter((line) => /^[AU]\|/.test(line))
    .map((line) => line.slice(2).split("|"));

  test("agrees with BuildKit's data", () => {
    assert.ok(cases.length > 100);
    for (const [input = "", wanted = ""] of cases) {
      const word = input.trimEnd();
      const expand = () => expandWord(word, { lookup: (name) => environment.get(name), escape: "\\" });
      if (wanted.trim() === "error")
        assert.throws(expand, (error) => Fault.is(error, "invalid-argument"), word);
      else assert.equal(expand(), wanted.trim(), word);
    }
  });

  test("says what is wrong as BuildKit does, and takes escapes in patterns", () => {
    const lookup = (name: string) => ({ empty: "", x: "a*b}c" })[name];
    const expand = (word: string) => expandWord(word, { lookup, escape: "\\" });
    const wrong: Readonly<Record<string, string>> = {
      "${": "syntax error: missing '}'",
      "${:}": "syntax error: bad substitution",
      "${{x}}": "syntax error: bad substitution",
      "${x": "unsupported modifier (\ufffd) in substitution",
      "${x^}": "unsupported modifier (^) in substitution",
      "${x:#y}": "unsupported modifier (:#) in substitution",
      "${x:=y}": "unsupported modifier (:=) in substitution",
      "${x:-y": "syntax error: missing '}'",
      "${x:-'y": "syntax error: missing '}'",
      "${x/y": "syntax error: missing '/' in ${}",
      "${x/y/z": "syntax error: missing '}'",
      "${y:?}": "y: is not allowed to be unset",
      "${empty:?}": "empty: is not allowed to be empty",
      "${x#\\a}": "invalid pattern (\\a) in substitution: invalid escape '\\a'",
    };
    for (const [word, words] of Object.entries(wrong)) {
      const message = `failed to process ${JSON.stringify(word)}: ${words}`;
      assert.throws(() => expand(word), { message }, word);
    }
    assert.equal(expand("${x#a\\*}"), "b}c");
    assert.equal(expand("${x%\\}c}"), "a*b");
  });

  test("removes and replaces by patterns", () => {
    const lookup = (name: string) => (name === "x" ? "a/b/c.tar.gz" : undefined);
    const expand = (word: string) => expandWord(word, { lookup, escape: "\\" });
    assert.equal(expand("${x#*/}"), "b/c.tar.gz");
    assert.equal(expand("${x##*/}"), "c.tar.gz");
    assert.equal(expand("${x%.*}"), "a/b/c.tar");
    assert.equal(expand("${x%%.*}"), "a/b/c");
    assert.equal(expand("${x/\\//-}"), "a-b/c.tar.gz");
    assert.equal(expand("${x//[ab]/-}"), "a/b/c.tar.gz");
    assert.equal(expand("${x//\\//$y-}"), "a-b-c.tar.gz");
  });
});

test("expandWords() splits as BuildKit's data says", () => {
  const environment = new Map<string, string>();
  for (const line of read("words.txt").split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    if (line.startsWith("ENV ")) {
      const [, name = "", value = ""] = /^ENV ([^=]+)=(.*)$/.exec(line) ?? [];
      environment.set(name, value);
      continue;
    }
    const [input = "", wanted = ""] = line.split("|");
    const word = input.trimStart().replace(/ $/, "");
    const expand = () =>
      expandWords(input.trim() === "" ? word : input.trim(), {
        lookup: (name) => environment.get(name),
        escape: "\\",
      });
    if (wanted.trim() === "error")
      assert.throws(expand, (error) => Fault.is(error, "invalid-argument"), line);
    else assert.deepEqual(expand(), wanted.trimStart().split(","), line);
  }
});
