import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, digestOf, parsePlatform } from "@hawser/oci";
import { BuildSources } from "./build-sources.ts";

const host = parsePlatform("linux/amd64", { os: "linux", architecture: "amd64" });
const other = parsePlatform("linux/s390x", host);
const digest = (word: string): Digest => digestOf(Buffer.from(word));
const image = (word: string, ...digests: readonly string[]) => ({
  id: digest(word),
  repoDigests: digests.map((one) => `base@${digest(one)}`),
});
const name = "docker.io/library/base:latest";

test("a digest that does for all platforms is the only one", () => {
  const sources = new BuildSources();
  sources.useImage("base", image("here", "older", "index"), { machine: host });
  assert.deepEqual(sources.used.images, { [name]: { digest: digest("older") } });
  sources.useImage("base", image("there"), { machine: other, digest: digest("index") });
  assert.deepEqual(sources.used.images, { [name]: { digest: digest("index") } });
});

test("what is another thing for each platform is known by platform, in whatever order it came", () => {
  const uses = [
    () => whole.part().useImage("base", image("here", "older"), { machine: host }),
    () => whole.part().useImage("base", image("there"), { machine: other, digest: digest("newer") }),
  ];
  let whole = new BuildSources();
  const told = [uses, uses.toReversed()].map((order) => {
    whole = new BuildSources();
    for (const use of order) use();
    return JSON.stringify(whole.used.images);
  });
  const platforms = {
    "linux/amd64": { digest: digest("older") },
    "linux/s390x": { digest: digest("newer") },
  };
  assert.deepEqual(told, Array(2).fill(JSON.stringify({ [name]: { platforms } })));
  const mixed = new BuildSources();
  mixed.useImage("base", image("here"), { machine: host });
  mixed.useImage("base", image("there"), { machine: other, digest: digest("newer") });
  assert.deepEqual(mixed.used.images, {
    [name]: { platforms: { ...platforms, "linux/amd64": { id: digest("here") } } },
  });
});

test("pins of platforms hold for those alone", () => {
  const platforms = { "linux/amd64": { id: digest("here") }, "linux/s390x": { digest: digest("newer") } };
  const pins = { images: { [name]: { platforms } }, files: {}, repositories: {} };
  const sources = new BuildSources(pins);
  assert.deepEqual(sources.imagePin("base", host), platforms["linux/amd64"]);
  assert.deepEqual(sources.imagePin("base", other), platforms["linux/s390x"]);
  assert.throws(
    () => sources.imagePin("base", parsePlatform("linux/arm64", host)),
    /Cannot build from image \S+ for linux\/arm64: it is not in the lock file/,
  );
  sources.useImage("base", image("here"), { machine: host });
  sources.useImage("base", image("there"), { machine: other });
  assert.deepEqual(sources.used.images, pins.images);
  assert.throws(
    () => sources.useImage("base", image("moved"), { machine: host }),
    /it is sha256:\S+, the lock file has sha256:/,
  );
  const bad = { ...pins, images: { [name]: { platforms: { "linux/amd64": { id: "x" } } } } };
  assert.throws(() => new BuildSources(bad), /Cannot pin/);
});
