import assert from "node:assert/strict";
import { fuzz, orRefused } from "@hawser/base/testing/fuzz";
import fc from "fast-check";
import { parseDockerfile } from "./parse-dockerfile.ts";

/** What Dockerfiles are made of, in any order. */
const words = [
  "FROM",
  "RUN",
  "COPY",
  "ADD",
  "ENV",
  "ARG",
  "CMD",
  "ONBUILD",
  "HEALTHCHECK",
  "SHELL",
  "LABEL",
  "from",
  "busybox",
  "AS",
  "--from=",
  "--mount=type=cache,target=/a",
  "<<EOF",
  "<<-'E'",
  "EOF",
  "E",
  "\n",
  "\n",
  "\r\n",
  "\\",
  "\\\n",
  "`",
  "#",
  "# escape=`\n",
  "# syntax=a\n",
  '"',
  "'",
  "[",
  "]",
  '["a", "b"]',
  "=",
  "$",
  "${A:-b}",
  " ",
  "\t",
  "\0",
  "é",
  "a=b",
  "\u{feff}",
] as const;

fuzz(
  "any soup of a Dockerfile's words is read or refused, and what is read is within the text",
  fc
    .array(fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 3 })), { maxLength: 40 })
    .map((parts) => parts.join(" ")),
  (source) => {
    const parsed = orRefused(["invalid-argument"], () => parseDockerfile(source));
    const lines = source.split("\n").length;
    for (const { range, name } of parsed?.instructions ?? []) {
      assert.equal(name, name.toUpperCase());
      assert.ok(range.firstLine >= 1 && range.lastLine <= lines, JSON.stringify(range));
    }
  },
);
