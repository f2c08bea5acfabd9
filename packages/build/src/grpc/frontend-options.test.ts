import assert from "node:assert/strict";
import { test } from "node:test";
import { readDockerfileOptions, readPlatforms } from "./frontend-options.ts";

const host = { os: "linux", architecture: "amd64" };
const read = (attributes: Readonly<Record<string, string>>) => readDockerfileOptions(attributes, host);

test("readDockerfileOptions() knows what buildx sends", () => {
  const options = read({
    filename: "web/Dockerfile",
    target: "last",
    "build-arg:A": "1",
    "label:l": "2",
    "no-cache": "one,two",
    "add-hosts": "a=10.0.0.1,b=::1",
    ulimit: "nofile=10:20,core=0",
    "shm-size": "1024",
    "force-network-mode": "host",
    "image-resolve-mode": "pull",
    "context:base": "docker-image://busybox",
    "attest:provenance": "mode=min,inline-only=true",
  });
  assert.deepEqual(
    [options.filename, options.target, options.buildArgs, options.labels, options.noCache, options.pull],
    ["web/Dockerfile", "last", { A: "1" }, { l: "2" }, ["one", "two"], true],
  );
  assert.deepEqual(options.extraHosts, ["a:10.0.0.1", "b:::1"]);
  assert.deepEqual(options.ulimits, [
    { name: "nofile", soft: 10, hard: 20 },
    { name: "core", soft: 0, hard: 0 },
  ]);
  assert.deepEqual([options.shmSizeBytes, options.network], [1024, "host"]);
  assert.deepEqual(options.contexts, { base: "docker-image://busybox" });
  assert.equal(read({ "no-cache": "" }).noCache, "all");
  assert.deepEqual(
    [read({}).filename, read({}).contextName, read({}).dockerfileName],
    ["Dockerfile", "context", "dockerfile"],
  );
});

test("readDockerfileOptions() refuses what it cannot do, by name", () => {
  for (const [attributes, message] of [
    [{ platform: Array.from({ length: 51 }, (_, at) => `linux/amd64/v${at + 10}`).join() }, /more than 50/],
    [{ ulimit: "nofile=a" }, /invalid ulimit "nofile=a"/],
    [{ "shm-size": "-1" }, /invalid shm-size/],
    [{ "force-network-mode": "container:x" }, /unsupported network mode "container:x"/],
  ] as const) {
    assert.throws(() => read(attributes), { message });
  }
});

test("readPlatforms() has each once, in order, in the field's words", () => {
  const platforms = readPlatforms({ platform: "linux/amd64,linux/aarch64, arm64,linux/arm/v7" }, host);
  assert.deepEqual(platforms, [
    { os: "linux", architecture: "amd64" },
    { os: "linux", architecture: "arm64" },
    { os: "linux", architecture: "arm", variant: "v7" },
  ]);
  assert.deepEqual(readPlatforms({}, host), []);
});
