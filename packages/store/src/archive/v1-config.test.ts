import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, parseDigest } from "@hawser/oci";
import { v1Json } from "../testing/v1-images.ts";
import { convertV1Config, parseV1Config } from "./v1-config.ts";

const diffId = parseDigest("sha256:e0e0fe5f8e7295b32137ff6a9f05fd1cc14d44add6d45291edba479b0707d045");
const otherDiffId = parseDigest("sha256:45dbef73251022f6157bc6e41af091d50e7cfacb45334e4ce041085de47bc982");

/** An image of one layer. */
function convert(json: string, layer = diffId): string {
  return convertV1Config([parseV1Config("a", Buffer.from(json))], { diffIds: [layer] }).toString();
}

/** As Docker 1.9 wrote it, and with all that only a byte for byte copy keeps. */
const verbatim = `{ "os" : "linux", "z": 1.50e1, "created":"2016-01-02T03:04:05.100Z", "id":"x", "docker_version":"1.9.1",
  "architecture":"amd64","config":{"Labels":{"2":"<\\u00e9\\/>","1":"&"},  "Cmd" : ["sh"], "Foo" : [ 1 ,2 ]},
  "container_config":{"Cmd":["/bin/sh","-c","x"]},"throwaway":true,"comment":null,"Zed":null,"\\u003c":2}`;

test("convertV1Config() gives an image the id that dockerd 28.5.2 gives it", () => {
  const ids = {
    [v1Json({})]: "605f98b90b004027ce9cb7256b5680880dec9cb528e908fd4371221d312ae479",
    [v1Json({ created: undefined })]: "6c647b1aedc90e64d153b833fbfda8659508bb03a462ff32bf04d5aa6e09f5d2",
    [v1Json({
      created: "2014-10-01T20:46:07.10+02:00",
      config: undefined,
      docker_version: undefined,
    })]: "4f19f2c67852ae305a09782e69318915022d6d2d589bf029171e4758bf922558",
    [verbatim]: "0bf16e36736a01a65d04b87d4252620ba2c77ba4d99edd344df58a427e36d455",
  };
  for (const [json, id] of Object.entries(ids))
    assert.equal(digestOf(Buffer.from(convert(json))), `sha256:${id}`, convert(json));
});

test("fields are found in any case, as dockerd 28.5.2 finds them, which keeps those that it copies", () => {
  const fields = { Created: "2020-01-01T00:00:00Z", OS: "linux", Architecture: "amd64", Author: "me" };
  const ids = {
    "1.9.0": "92f700f7556eabdb9bec97ffe9ba2c3e46b5d8da7f5e3e67ddb99a7071789b77",
    "1.2.0": "20ab030e4155f4bca34d40e0d8372db487f7f5e109520587cfd7d419e8b0cbe9",
  };
  for (const [version, id] of Object.entries(ids)) {
    const json = JSON.stringify({ ID: "aa", ...fields, Config: { CMD: ["sh"] }, Docker_Version: version });
    assert.equal(digestOf(Buffer.from(convert(json, otherDiffId))), `sha256:${id}`, convert(json));
  }
  assert.equal(parseV1Config("b", Buffer.from('{"PARENT":"a"}')).parent, "a");
});

test("convertV1Config() tells an old version of Docker by its number", () => {
  for (const [version, isOld] of [
    ["", true],
    ["1.8.2", true],
    ["1.8.3-rc1", true],
    ["0.7", true],
    ["nonsense", true],
    ["1.8.3", false],
    ["1.10.0-dev", false],
    ["1.9", false],
    ["17.03", false],
  ] as const) {
    const json = convert(JSON.stringify({ docker_version: version, nope: 1 }));
    assert.equal(json.includes('"nope"'), !isOld, version);
  }
});

test("parseV1Config() refuses what is no configuration, and says whose it is", () => {
  for (const [json, says] of [
    ["{", /Cannot read a\/json: it is not JSON$/],
    ["[]", /not an object/],
    ['{"created":"yesterday"}', /"created" is not a date/],
    ['{"created":"2014-13-01T00:00:00Z"}', /"created" is not a date/],
    ['{"parent":5}', /"parent" is not text/],
    ['{"author":[]}', /"author" is not text/],
    ['{"container_config":{"Cmd":5}}', /"Cmd" is not a list of text/],
    ['{"id":"a","id":"b"}', /twice/],
  ] as const)
    assert.throws(() => parseV1Config("a", Buffer.from(json)), says);
});
