import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { detectSyntax } from "./detect-syntax.ts";

describe("detectSyntax()", () => {
  test("finds the front end in comments of both kinds, in JSON, after a first line for the kernel", () => {
    const found: readonly (readonly [string, string, string])[] = [
      ["# syntax=docker/dockerfile:1\nFROM a", "docker/dockerfile:1", "docker/dockerfile:1"],
      ["#syntax = a/b@sha256:1 more words \n", "a/b@sha256:1", "a/b@sha256:1 more words"],
      ["# escape=`\n# SYNTAX=x\n", "x", "x"],
      ["\ufeff#!/usr/bin/env x\n# syntax=x", "x", "x"],
      ["// syntax=x\npackage main", "x", "x"],
      ['{"syntax": "x y", "other": 1}', "x", "x y"],
    ];
    for (const [text, source, line] of found) {
      const { number: _, ...told } = detectSyntax(text) ?? {};
      assert.deepEqual(told, { source, line });
    }
    const lines = ["# syntax=x", "#!/bin/x\n# check=y\n# syntax=x", '{"syntax":"x"}'];
    assert.deepEqual(
      lines.map((text) => detectSyntax(text)?.number),
      [1, 3, undefined],
    );
  });

  test("finds none after the first line that is no directive, nor in what is damaged", () => {
    const none = [
      "",
      "FROM a\n# syntax=x",
      "# a comment\n# syntax=x",
      "\n# syntax=x",
      '{"syntax": 1}',
      "{",
      "#",
    ];
    for (const text of none) assert.equal(detectSyntax(text), undefined, text);
    assert.equal(detectSyntax(`# syntax=${"x".repeat(10_000)}`), undefined);
    assert.equal(detectSyntax("#\n".repeat(2_000_000)), undefined);
  });
});
