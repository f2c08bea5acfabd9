import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, describe } from "node:test";
import { eventually, openTempDir } from "@hawser/base/testing";
import { engineSteps } from "@hawser/engine";
import { type FakeRegistry, openFakeRegistry } from "@hawser/registry/testing";
import { openFiles } from "./kit-buildkit.ts";
import type { TestEngine } from "./kit-engine.ts";
import { wordOf } from "./kit-idle.ts";
import { type Act, isOfBuilds, must, testSteps } from "./kit-steps.ts";
import { againstDockerd, useTarget } from "./kit-target.ts";

const resources = new AsyncDisposableStack();
let dir = "";
let outDir = "";
let registry: FakeRegistry;

const at = (name: string) => `${registry.address}/${name}:1`;
const out = (name: string) => join(outDir, name);

/** An act that builds: afterwards the same build has the same result, and does not do again what had ended. */
function buildAct({
  steps,
  flags,
  prepare,
  resultOf,
  isCached = true,
}: {
  readonly steps: Act["steps"];
  readonly flags: () => readonly string[];
  /** What is there before, beside what is built. */
  readonly prepare?: (engine: TestEngine) => Promise<void>;
  /** The digest of what was asked for. */
  readonly resultOf: (engine: TestEngine) => Promise<string>;
  /** Whether a step has ended for good before any of those. */
  readonly isCached?: boolean;
}): Act {
  const build = (engine: TestEngine) => runBuild(engine, flags());
  /** What an undisturbed build has come to. */
  let wanted: string | undefined;
  return {
    steps,
    async prepare(engine) {
      await prepare?.(engine);
      if (wanted !== undefined) return;
      const { exitCode, stderr } = await build(engine);
      assert.equal(exitCode, 0, stderr);
      wanted = await resultOf(engine);
      await forget(engine);
      await prepare?.(engine);
    },
    ask: async (engine) => ((await build(engine)).exitCode === 0 ? 200 : 0),
    async check(engine, { acknowledged }) {
      const found = await resultOf(engine);
      assert.ok(found === wanted || (found === "" && !acknowledged), `it is ${found}`);
      await checkBlobs(engine);
      const { exitCode, stderr } = await build(engine);
      assert.equal(exitCode, 0, stderr);
      assert.equal(await resultOf(engine), wanted, "the same as without any death");
      if (isCached) assert.match(stderr, /RUN echo first[^\n]*\n#\d+ CACHED/);
      await forget(engine);
    },
  };
}

const runBuild = (engine: TestEngine, flags: readonly string[]) =>
  engine.hawser(["build", "--progress", "plain", ...flags, dir], { timeoutMs: 100_000 });

/** Everything that builds have made, here and elsewhere. */
async function forget(engine: TestEngine): Promise<void> {
  registry.blobs.clear();
  registry.manifests.clear();
  for (const name of await readdir(outDir)) await rm(out(name), { recursive: true });
  await forgetHere(engine);
}

async function forgetHere(engine: TestEngine): Promise<void> {
  for (const name of ["built:1", at("result")]) {
    await must(engine, `DELETE /images/${name}?force=1`, undefined, [404]);
  }
  await must(engine, "POST /images/prune");
  // Nothing is pruned while a build lasts, which may be a little longer than its client.
  await eventually(async () => {
    await must(engine, "POST /build/prune?all=1");
    const { BuildCache: kept } = await must(engine, "GET /system/df?type=build-cache");
    return !Array.isArray(kept) || kept.length === 0;
  });
}

/** What has a name is what its name says. */
async function checkBlobs(engine: TestEngine): Promise<void> {
  const folder = join(engine.dataRoot, "content/sha256");
  for (const name of await readdir(folder)) {
    const bytes = await readFile(join(folder, name));
    assert.equal(createHash("sha256").update(bytes).digest("hex"), name);
  }
}

const idOf = async (engine: TestEngine) =>
  wordOf((await must(engine, "GET /images/built:1/json", undefined, [404]))["Id"]);
const digestOf = (bytes: Uint8Array | undefined) =>
  bytes === undefined ? "" : createHash("sha256").update(bytes).digest("hex");
const fileDigest = async (path: string) => digestOf(await readFile(path).catch(() => undefined));
const manifestDigest = async (name: string) => digestOf(registry.manifests.get(`${name}:1`)?.bytes);

const acts: Readonly<Record<string, Act>> = {
  "a build": buildAct({
    steps: [
      "snapshot.made:2",
      "build.copied",
      "layer.placed:2",
      "layer.recorded:2",
      "build.made:2",
      "build.noted:2",
      "snapshot.forgotten:2",
      "seal.staged:2",
      "seal.kept",
      "seal.recorded",
      "seal.placed",
      "commit.kept",
      "commit.recorded",
    ],
    flags: () => ["-t", "built:1"],
    resultOf: idOf,
  }),
  "a build of a file of the net": buildAct({
    steps: ["build.fetched"],
    flags: () => ["-t", "built:1", "-f", join(dir, "net.Dockerfile")],
    resultOf: idOf,
    isCached: false, // both steps at once
  }),
  "a build of an archive": buildAct({
    steps: ["encode.kept", "encode.recorded"],
    flags: () => ["-o", `type=oci,dest=${out("image.tar")},compression=zstd`],
    resultOf: () => fileDigest(out("image.tar")),
  }),
  "a push": buildAct({
    steps: ["push.sent", "push.named"],
    flags: () => ["--push", "-t", at("result")],
    resultOf: () => manifestDigest("result"),
  }),
  "a push in another form": buildAct({
    steps: ["build.sent", "build.named"],
    flags: () => ["-o", `type=image,name=${at("result")},push=true,compression=zstd`],
    resultOf: () => manifestDigest("result"),
  }),
  "a build cache for a registry": buildAct({
    steps: ["build.sent", "build.named"],
    flags: () => ["--cache-to", `type=registry,ref=${at("cache")},mode=max`],
    resultOf: () => manifestDigest("cache"),
  }),
  "a build cache in a folder": buildAct({
    steps: ["build.sent", "build.named"],
    flags: () => ["--cache-to", `type=local,dest=${out("cache")},mode=max`],
    resultOf: () => fileDigest(out("cache/index.json")),
  }),
  "a build cache in the image": buildAct({
    steps: ["commit.kept"],
    flags: () => ["-t", "built:1", "--cache-to", "type=inline"],
    resultOf: idOf,
  }),
  "a build with a registry's cache": buildAct({
    steps: ["layer.placed", "layer.recorded", "build.imported"],
    async prepare(engine) {
      const cache = ["--cache-to", `type=registry,ref=${at("cache")},mode=max`];
      const { exitCode, stderr } = await runBuild(engine, cache);
      assert.equal(exitCode, 0, stderr);
      await forgetHere(engine);
    },
    flags: () => ["-t", "built:1", "--cache-from", `type=registry,ref=${at("cache")}`],
    resultOf: idOf,
  }),
};

describe("the engine dies at a step of a build", { skip: againstDockerd }, () => {
  const target = useTarget();
  after(() => resources.disposeAsync());
  testSteps(acts, target, {
    steps: engineSteps.filter(isOfBuilds),
    async prepare(engine) {
      registry = resources.use(await openFakeRegistry());
      outDir = resources.use(await openTempDir()).path;
      const server = createServer((_, response) => response.end("of the net")).listen(0, "127.0.0.1");
      await once(server, "listening");
      resources.defer(() => void server.close());
      const { port } = server.address() as AddressInfo;
      const first = "FROM busybox\nRUN echo first > /first\n";
      const files = {
        Dockerfile: `${first}COPY file /file\n`,
        "net.Dockerfile": `${first}ADD http://127.0.0.1:${port}/file /net/\n`,
        file: "text",
      };
      dir = resources.use(await openFiles(files)).path;
      // The base image's layer is compressed for the first to whom it goes, and kept so.
      const { exitCode, stderr } = await runBuild(engine, ["-o", `type=oci,dest=${out("image.tar")}`]);
      assert.equal(exitCode, 0, stderr);
      await forget(engine);
    },
  });
});
