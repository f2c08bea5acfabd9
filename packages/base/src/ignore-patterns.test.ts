import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { compileIgnorePatterns, parseIgnoreFile } from "./ignore-patterns.ts";

interface Case {
  readonly pass: boolean;
  readonly pattern?: string;
  readonly patterns?: readonly string[];
  readonly text: string;
}

/** moby/patternmatcher's own tables (Apache-2.0), `TestMatches`. */
const cases = JSON.parse(
  readFileSync(new URL("testdata/ignore-patterns.json", import.meta.url), "utf8"),
) as readonly Case[];

test("compileIgnorePatterns() agrees with moby's data", () => {
  assert.ok(cases.length > 60);
  for (const { pass, pattern, patterns = [pattern ?? ""], text } of cases) {
    const path = text.replace(/^\/+|\/+$/g, "");
    assert.equal(compileIgnorePatterns(patterns).ignores(path), pass, `${patterns.join(" ")} ${text}`);
  }
});

test("parseIgnoreFile() gives patterns as clients match them", () => {
  // A client of BuildKit's compares them as they are: one with a slash at its beginning would leave nothing out.
  const lines = "/config/*.key\n! /kept\n./a//b/\n.\n!\n";
  assert.deepEqual(parseIgnoreFile(lines), ["config/*.key", "!kept", "a/b", ".", "!"]);
});

test("parseIgnoreFile() leaves out comments and takes back", () => {
  const patterns = compileIgnorePatterns(
    parseIgnoreFile("# all\n*\n!src\nsrc/*.log\n  !src/keep.log  \n\n/abs\n"),
  );
  const ignored = (path: string) => patterns.ignores(path);
  assert.deepEqual(["a", "src", "src/a.ts", "src/x.log", "src/keep.log"].map(ignored), [
    true,
    false,
    false,
    true,
    false,
  ]);
  assert.equal(patterns.mayKeepBelow("src"), true);
  assert.equal(compileIgnorePatterns(["a"]).mayKeepBelow("a"), false);
  const kept = compileIgnorePatterns(["**", "!a/b*/c", "!d/e"]);
  const folders = ["a", "a/b", "a/x/y", "b", "ab", "d", "d/e", "d/f", "e"];
  assert.deepEqual(
    folders.filter((folder) => kept.mayKeepBelow(folder)),
    ["a", "a/b", "a/x/y", "d", "d/e"],
  );
  assert.throws(() => compileIgnorePatterns(["a["]), SyntaxError);
});
