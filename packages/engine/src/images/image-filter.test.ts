import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseFilters } from "@hawser/api";
import { parseDigest } from "@hawser/oci";
import type { Image } from "@hawser/store";
import { matchesGlob } from "./glob.ts";
import { filterImages, imageFilterNames } from "./image-filter.ts";

const image = (hex: string, names: readonly string[], createdMs: number, labels = {}): Image => ({
  id: parseDigest(`sha256:${hex.repeat(64)}`),
  names,
  repoDigests: [],
  config: {
    os: "linux",
    architecture: "amd64",
    execution: { user: "", exposedPorts: [], env: [], volumes: [], workingDir: "", labels, stopSignal: "" },
    diffIds: [],
    history: [],
  },
  diffIds: [],
  layers: [],
  sizeBytes: 0,
  createdAt: new Date(createdMs),
});

const hour = 3_600_000;
const images = [
  image("a", ["busybox:1.36", "busybox:latest"], 1 * hour, { tier: "base" }),
  image("b", ["example.com:5000/team/app:v2"], 2 * hour),
  image("c", [], 3 * hour),
];

const names = (filters: object, nowMs = 4 * hour) =>
  filterImages(images, parseFilters(JSON.stringify(filters), imageFilterNames), {
    resolve: (name) => images.find((found) => found.names.includes(name)) ?? assert.fail(name),
    nowMs,
  }).map((found) => found.names.join(" ") || found.id.slice(7, 8));

describe("a filter of images", () => {
  for (const [filters, expected] of [
    [{}, ["c", "example.com:5000/team/app:v2", "busybox:1.36 busybox:latest"]],
    [{ dangling: ["true"] }, ["c"]],
    [{ dangling: { "0": true } }, ["example.com:5000/team/app:v2", "busybox:1.36 busybox:latest"]],
    [{ reference: ["busybox"] }, ["busybox:1.36 busybox:latest"]],
    [{ reference: ["busybox:la*"] }, ["busybox:latest"]],
    [{ reference: ["*/*/app"] }, ["example.com:5000/team/app:v2"]],
    [{ reference: ["*"] }, ["busybox:1.36 busybox:latest"]],
    [{ label: ["tier=base"] }, ["busybox:1.36 busybox:latest"]],
    [{ label: ["tier=top"] }, []],
    [{ before: ["example.com:5000/team/app:v2"] }, ["busybox:1.36 busybox:latest"]],
    [{ since: ["example.com:5000/team/app:v2"] }, ["c"]],
    [{ until: ["1h30m"] }, ["example.com:5000/team/app:v2", "busybox:1.36 busybox:latest"]],
    [{ until: [String(2 * 3600)] }, ["busybox:1.36 busybox:latest"]],
    [{ until: ["1970-01-01T02:00:00Z"] }, ["busybox:1.36 busybox:latest"]],
  ] as const) {
    test(JSON.stringify(filters), () => {
      assert.deepEqual(names(filters), expected);
    });
  }

  for (const filters of [{ dangling: ["maybe"] }, { until: ["soon"] }, { reference: ["[z"] }]) {
    test(`${JSON.stringify(filters)} is refused`, () => {
      assert.throws(() => names(filters), { kind: "invalid-argument" });
    });
  }
});

describe("a glob", () => {
  for (const [glob, text, expected] of [
    ["a*c", "abbbc", true],
    ["a*c", "ab/c", false],
    ["*", "", true],
    ["a?c", "abc", true],
    ["a?c", "a/c", false],
    ["[a-c]x", "bx", true],
    ["[^a-c]x", "bx", false],
    ["[\\]]", "]", true],
    ["\\*", "*", true],
    ["\\*", "a", false],
    ["*b*b", "abab", true],
    ["a\\", "a", undefined],
    ["[a", "a", undefined],
  ] as const) {
    test(`${glob} and ${text}`, () => assert.equal(matchesGlob(glob, text), expected));
  }

  test("made to be slow is not", () => {
    const began = performance.now();
    assert.equal(matchesGlob(`${"*a".repeat(100)}b`, "a".repeat(255)), false);
    assert.ok(performance.now() - began < 5000);
  });
});
