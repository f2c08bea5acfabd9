import assert from "node:assert/strict";
import { test } from "node:test";
import { parseGitReference } from "./git-reference.ts";

test("parseGitReference() knows a repository's name, and what is none", () => {
  const cases = [
    ["https://host/u/r.git", { url: "https://host/u/r.git" }],
    ["https://host/u/r.git#v1", { url: "https://host/u/r.git", ref: "v1" }],
    ["https://host/u/r.git#v1:sub/dir/", { url: "https://host/u/r.git", ref: "v1", folder: "sub/dir" }],
    ["https://host/u/r.git#:sub", { url: "https://host/u/r.git", folder: "sub" }],
    ["https://host/r.git?ref=v2&subdir=/a", { url: "https://host/r.git", ref: "v2", folder: "a" }],
    ["git://h/r.git?ref=v2&checksum=ab12", { url: "git://h/r.git", ref: "v2", checksum: "ab12" }],
    ["https://host/r.git?odd=1", { url: "https://host/r.git", unknownQuery: "odd" }],
    ["git@host:u/r.git#main", { url: "git@host:u/r.git", ref: "main" }],
    ["git://host:99/r", { url: "git://host:99/r" }],
    ["ssh://git@host/r", { url: "ssh://git@host/r" }],
    ["github.com/u/r", { url: "https://github.com/u/r" }],
  ] as const;
  for (const [text, wanted] of cases) assert.deepEqual(parseGitReference(text), wanted, text);
  for (const text of [
    "https://host/file.tar.gz",
    "a.git",
    "folder",
    "docker.io/library/busybox",
    "https://host/r",
  ]) {
    assert.equal(parseGitReference(text), undefined, text);
  }
});
