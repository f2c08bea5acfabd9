import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Fault } from "@hawser/base";
import { chainIdOf, chainIdsOf } from "./chain-id.ts";
import { digestHex, parseDigest, shortId } from "./digest.ts";
import { formatImageConfig, parseImageConfig } from "./image-config.ts";
import { parseManifest } from "./manifest.ts";
import { formatPlatform, parsePlatform, platformOfNode, platformsMatch } from "./platform.ts";
import { parseForeignJson } from "./read-document.ts";

function refuses(call: () => unknown, says?: RegExp): void {
  assert.throws(call, (error) => {
    assert.ok(Fault.is(error, "invalid-argument"), String(error));
    if (says !== undefined) assert.match(error.message, says);
    return true;
  });
}

const digest = (digit: string) => parseDigest(`sha256:${digit.repeat(64)}`);
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

test("parseDigest() takes sha256 and sha512 in lower case and nothing else", () => {
  assert.equal(shortId(digest("a")), "a".repeat(12));
  assert.equal(digestHex(parseDigest(`sha512:${"b".repeat(128)}`)).length, 128);
  for (const text of [
    "",
    "sha256:",
    `sha256:${"a".repeat(63)}`,
    `sha256:${"A".repeat(64)}`,
    `md5:${"a".repeat(32)}`,
    `sha256:${"a".repeat(64)}\n`,
    "../../x",
  ]) {
    refuses(() => parseDigest(text));
  }
});

test("chainIdOf() is what the image specification computes", () => {
  // printf 'sha256:aaa… sha256:bbb…' | sha256sum
  const wanted = chainIdOf(digest("b"), chainIdOf(digest("a"), undefined));
  assert.equal(chainIdOf(digest("a"), undefined), digest("a"));
  assert.equal(wanted, "sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c");
  assert.deepEqual(chainIdsOf([digest("a"), digest("b")]), [digest("a"), wanted]);
});

describe("platforms", () => {
  const host = { os: "linux", architecture: "amd64" };
  test("are read in every way that tools write them", () => {
    const cases: Readonly<Record<string, string>> = {
      linux: "linux/amd64",
      arm64: "linux/arm64",
      aarch64: "linux/arm64",
      "linux/x86_64": "linux/amd64",
      "Linux/ARM64/v8": "linux/arm64",
      "linux/arm": "linux/arm/v7",
      "linux/arm/6": "linux/arm/v6",
      "linux/amd64/v3": "linux/amd64/v3",
      "windows/amd64": "windows/amd64",
    };
    assert.equal(formatPlatform({ os: "linux", architecture: "" }), "linux");
    for (const [text, wanted] of Object.entries(cases))
      assert.equal(formatPlatform(parsePlatform(text, host)), wanted);
    for (const text of ["", "a/b/c/d", "linux/", "no such/arch", "toaster"])
      refuses(() => parsePlatform(text, host));
  });

  test("match when they mean the same", () => {
    assert.ok(
      platformsMatch(
        { os: "linux", architecture: "arm64" },
        { os: "linux", architecture: "arm64", variant: "v8" },
      ),
    );
    assert.ok(
      !platformsMatch(
        { os: "linux", architecture: "arm", variant: "v6" },
        { os: "linux", architecture: "arm" },
      ),
    );
    assert.ok(platformsMatch(platformOfNode({ platform: "linux", arch: "x64" }), host));
    assert.ok(!platformsMatch(host, { os: "windows", architecture: "amd64" }));
  });
});

describe("parseForeignJson()", () => {
  const parse = (text: string | Uint8Array) =>
    parseForeignJson(Buffer.from(text), { what: "it", maxBytes: 10_000 });
  test("reads JSON", () => {
    assert.deepEqual(parse(`{"a":[{"a":1},{"a":2}],"b":{"a":"\\"{,"},"\\u0063":null}`), {
      a: [{ a: 1 }, { a: 2 }],
      b: { a: '"{,' },
      c: null,
    });
  });
  test("refuses a key that is there twice, also when it is written in two ways", () => {
    refuses(() => parse(`{"a":1,"b":{"a":1},"a":2}`), /"a" is there twice/);
    refuses(() => parse(`[{"x":{"a":1,"\\u0061":2}}]`), /"a" is there twice/);
  });
  test("refuses what is too long, too deep, not UTF-8 or not JSON", () => {
    refuses(() => parse(" ".repeat(10_001)), /10001 bytes/);
    refuses(() => parse(`${"[".repeat(101)}${"]".repeat(101)}`), /nested/);
    refuses(() => parse(Buffer.from([0x22, 0xff, 0x22])), /UTF-8/);
    for (const text of ["", "{", "[1,]", '{"a":}', "'a'", "nul", '"', '["\\"]'])
      refuses(() => parse(text), /not JSON/);
  });
});

describe("image configurations", () => {
  const config = {
    architecture: "arm64",
    variant: "v8",
    os: "linux",
    author: "me",
    created: new Date("2025-01-01T00:00:00.000Z"),
    execution: {
      user: "1:2",
      exposedPorts: ["80/tcp"],
      env: ["A=b"],
      entrypoint: [],
      cmd: ["a", "b"],
      volumes: ["/data"],
      workingDir: "/w",
      labels: { k: "v", ["__proto__"]: "x" },
      stopSignal: "SIGINT",
      healthcheck: {
        test: ["CMD", "x"],
        intervalNs: 1,
        timeoutNs: 2,
        startPeriodNs: 3,
        startIntervalNs: 4,
        retries: 5,
      },
      shell: ["/bin/sh"],
      onBuild: ["RUN x"],
    },
    diffIds: [digest("a")],
    history: [{ created: new Date(0), createdBy: "x", author: "", comment: "c", emptyLayer: true }],
  };

  test("survive being written and read", () => {
    assert.deepEqual(parseImageConfig(formatImageConfig(config)), config);
    assert.deepEqual(formatImageConfig(config), formatImageConfig(config));
  });

  test("may leave nearly everything out, or say null", () => {
    for (const least of [
      { rootfs: { diff_ids: [] } },
      { architecture: "", os: "", rootfs: { type: "", diff_ids: [] } },
      { architecture: null, config: null, history: null, rootfs: { type: "layers", diff_ids: [] } },
    ]) {
      const { os, architecture, execution, history } = parseImageConfig(json(least));
      assert.deepEqual(
        { os, architecture, cmd: execution.cmd, env: execution.env, history },
        { os: "linux", architecture: "", cmd: undefined, env: [], history: [] },
      );
    }
  });

  test("have names of fields in any case, as Go reads them, and other names as they are", () => {
    const text = `{"architecture":"one","Architecture":"two","O\u017f":"linux","RootFS":{"Diff_IDs":[]},
      "CONFIG":{"cmd":["low"],"Wor\u212aingDir":"/k","Cmd":["high"],"labels":{"A":"1","a":"2"},"exposedports":{"80/TCP":{}}}}`;
    const { architecture, os, execution } = parseImageConfig(Buffer.from(text));
    assert.deepEqual([architecture, os, execution.workingDir], ["two", "linux", "/k"]);
    assert.deepEqual(execution.cmd, ["high"]);
    assert.deepEqual(execution.labels, { A: "1", a: "2" });
    assert.deepEqual(execution.exposedPorts, ["80/TCP"]);
  });

  test("are refused when a field is not what it should be", () => {
    const rootfs = { type: "layers", diff_ids: [] };
    for (const [more, says] of [
      [{ config: { Env: "A=b" } }, /"Env" is not a list of text/],
      [{ config: { Env: [1] } }, /"Env" is not/],
      [{ config: { Labels: { a: 1 } } }, /"Labels" is not/],
      [{ config: { Volumes: [] } }, /"Volumes" is not an object/],
      [{ config: [] }, /"config" is not an object/],
      [{ created: 5 }, /"created" is not text/],
      [{ history: [5] }, /not an object/],
      [{ rootfs: undefined }, /"rootfs" is missing/],
      [{ rootfs: { type: "layers", diff_ids: ["x"] } }, /digest/],
      [{ rootfs: { type: "other", diff_ids: [] } }, /"type" is not "layers"/],
    ] as const) {
      refuses(() => parseImageConfig(json({ architecture: "amd64", rootfs, ...more })), says);
    }
  });
});

test("parseManifest() tells manifests from indexes, and refuses what could be both", () => {
  const descriptor = { mediaType: "m", digest: digest("a"), size: 1 };
  assert.equal(
    parseManifest(json({ schemaVersion: 2, config: descriptor, layers: [descriptor] })).kind,
    "manifest",
  );
  assert.equal(parseManifest(json({ schemaVersion: 2, manifests: [descriptor] })).kind, "index");
  refuses(() => parseManifest(json({ schemaVersion: 2, manifests: [], config: descriptor })), /at once/);
  refuses(() => parseManifest(json({ schemaVersion: 2, manifests: [], layers: [] })), /at once/);
  refuses(() => parseManifest(json({ schemaVersion: 1 })), /schemaVersion/);
  refuses(
    () => parseManifest(json({ schemaVersion: 2, mediaType: "text/html", config: descriptor })),
    /text\/html/,
  );
  refuses(() => parseManifest(json({ schemaVersion: 2, layers: [] })), /"config" is missing/);
  refuses(() => parseManifest(json({ schemaVersion: 2, config: { ...descriptor, size: 1.5 } })), /"size"/);
});
