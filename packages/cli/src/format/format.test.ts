import assert from "node:assert/strict";
import test from "node:test";
import { escapeHtmlJson, goQuote } from "@hawser/base";
import { ellipsis, shortId } from "./ellipsis.ts";
import { formatBuildTime, formatLocalRfc3339 } from "./go-time.ts";
import { formatBinarySize, formatHumanDuration, formatHumanSize, formatTableSize } from "./humanize.ts";
import { imageRows } from "./image-fields.ts";
import { indentJson } from "./json-text.ts";
import { formatPorts } from "./ports.ts";
import { alignColumns } from "./table-writer.ts";

test("formatHumanSize(), formatTableSize() and formatBinarySize() round as go-units does", () => {
  assert.deepEqual([0, 999, 1000, 1024, 1982405, 1e9, 2.5e12, 999_999_999].map(formatHumanSize), [
    "0B",
    "999B",
    "1kB",
    "1.024kB",
    "1.982MB",
    "1GB",
    "2.5TB",
    "1000MB",
  ]);
  assert.deepEqual([0, 1982405, 12345678, 123456789, 999_999].map(formatTableSize), [
    "0B",
    "1.98MB",
    "12.3MB",
    "123MB",
    "1e+03kB",
  ]);
  assert.deepEqual([1024, 25275236352].map(formatBinarySize), ["1KiB", "23.54GiB"]);
});

test("formatHumanDuration() speaks as go-units does", () => {
  const day = 24 * 3600;
  const cases: readonly (readonly [number, string])[] = [
    [0.4, "Less than a second"],
    [1, "1 second"],
    [45, "45 seconds"],
    [60, "About a minute"],
    [150, "2 minutes"],
    [3600, "About an hour"],
    [1.6 * 3600, "2 hours"],
    [47 * 3600, "47 hours"],
    [2 * day, "2 days"],
    [13 * day, "13 days"],
    [14 * day, "2 weeks"],
    [59 * day, "8 weeks"],
    [60 * day, "2 months"],
    [729 * day, "24 months"],
    [730 * day, "2 years"],
  ];
  for (const [seconds, text] of cases) assert.equal(formatHumanDuration(seconds), text);
});

test("alignColumns() makes columns at least ten wide with three spaces between", () => {
  assert.equal(
    alignColumns("REPOSITORY\tTAG\tSIZE\nbusybox\tlatest\t1MB\na-very-long-name\tx\t2MB\n"),
    "REPOSITORY         TAG       SIZE\nbusybox            latest    1MB\na-very-long-name   x         2MB\n",
  );
  assert.equal(alignColumns("a\tb\n\nc…\td"), "a         b\n\nc…        d");
});

test("indentJson() indents as Go does and keeps numbers as they are", () => {
  const text = '[{"a":[],"b":{},"n":9223372036854775807,"s":"x{,}:\\"[","l":[1,2],"e":{"f":null}}]';
  const indented = indentJson(text);
  assert.equal(
    indented,
    `[
    {
        "a": [],
        "b": {},
        "n": 9223372036854775807,
        "s": "x{,}:\\"[",
        "l": [
            1,
            2
        ],
        "e": {
            "f": null
        }
    }
]`,
  );
  assert.equal(indentJson("[]"), "[]");
  assert.equal(indentJson(indented), indented);
});

test("escapeHtmlJson() and goQuote() escape as Go does", () => {
  assert.equal(escapeHtmlJson('"<none> & \u2028"'), '"\\u003cnone\\u003e \\u0026 \\u2028"');
  assert.equal(goQuote('a"b\\\n\t\x01é\u200b'), '"a\\"b\\\\\\n\\t\\x01é\\u200b"');
});

test("formatPorts() groups ranges and keeps moved ports apart", () => {
  const port = (PrivatePort: number, PublicPort?: number, IP?: string, Type = "tcp") => ({
    PrivatePort,
    Type,
    ...(PublicPort !== undefined && { PublicPort }),
    ...(IP !== undefined && { IP }),
  });
  assert.equal(
    formatPorts([port(80), port(81), port(82), port(9000, undefined, undefined, "udp")]),
    "80-82/tcp, 9000/udp",
  );
  assert.equal(
    formatPorts([port(80, 8080, "0.0.0.0"), port(80, 8080, "::")]),
    "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp",
  );
  assert.equal(formatPorts([port(81, 81, "0.0.0.0"), port(80, 80, "0.0.0.0")]), "0.0.0.0:80-81->80-81/tcp");
});

test("imageRows() has one line for each name", () => {
  const image = {
    Id: "sha256:abc",
    ParentId: "",
    RepoTags: ["docker.io/library/busybox:1", "busybox:2", "localhost:5000/x:y"],
    RepoDigests: ["busybox@sha256:d1", "other@sha256:d2"],
    Created: 0,
    Size: 1,
    SharedSize: -1,
    Labels: null,
    Containers: -1,
  };
  const brief = (perDigest: boolean) =>
    imageRows([image], { perDigest }).map(({ repository, tag, digest }) => `${repository} ${tag} ${digest}`);
  assert.deepEqual(brief(false), [
    "busybox 1 <none>",
    "busybox 2 <none>",
    "localhost:5000/x y <none>",
    "other <none> <none>",
  ]);
  assert.equal(brief(true)[0], "busybox 1 sha256:d1");
  const nameless = { ...image, RepoTags: ["<none>:<none>"], RepoDigests: [] };
  assert.equal(imageRows([nameless], { perDigest: false }).length, 1);
});

test("times and abbreviations", () => {
  assert.match(
    formatLocalRfc3339(1_700_000_000_000_000_001n),
    /^2023-11-1\dT\d\d:\d\d:20\.000000001(Z|[+-]\d\d:\d\d)$/,
  );
  assert.equal(formatBuildTime("2026-05-07T21:09:36.000000000+00:00"), "Thu May  7 21:09:36 2026");
  assert.equal(formatBuildTime("unknown"), "unknown");
  assert.equal(ellipsis("sh -c 'echo out; echo err'", 20), "sh -c 'echo out; ec…");
  assert.equal(shortId("sha256:0123456789abcdef"), "0123456789ab");
});
