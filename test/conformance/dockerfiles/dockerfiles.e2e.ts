import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { type BuildkitClient, openBuildkitClient } from "../../e2e/kit-buildkit.ts";
import { openEngine, type TestEngine } from "../../e2e/kit-engine.ts";
import { compareRecords, judge } from "./compare.ts";
import { loadBases, recordShape } from "./record.ts";
import { listShapes, recordingPath } from "./shapes.ts";

describe("Dockerfiles as the public has them", () => {
  let engine: TestEngine;
  let client: BuildkitClient;
  let isBase: (diffId: string) => boolean;
  const differences: string[] = [];
  const resources = new AsyncDisposableStack();
  before(async () => {
    engine = resources.use(await openEngine());
    client = resources.use(
      await openBuildkitClient({ environment: () => ({ ...process.env, DOCKER_HOST: engine.host }) }, "sid"),
    );
    isBase = await loadBases((args) => engine.docker(args));
  });
  after(() => resources.disposeAsync());

  for (const shape of listShapes()) {
    test(`${shape.name} gives the files and the configuration that dockerd 28.5 gives, by buildx and by hawser`, async () => {
      const run = (args: readonly string[]) => engine.docker(args);
      const common = { run, isBase, syntax: true };
      const docker = JSON.parse(await readFile(recordingPath(shape.name), "utf8"));
      const byBuildx = await recordShape(shape, {
        ...common,
        build: (args) => client.run(["buildx", ...args]),
      });
      const found = compareRecords(docker, byBuildx).map((difference) => `${shape.name}: ${difference}`);
      differences.push(...found);
      assert.deepEqual(judge(found).unexplained, []);
      const byHawser = await recordShape(shape, {
        ...common,
        build: (args) => engine.hawser(args, { timeoutMs: 120_000 }),
      });
      assert.deepEqual(byHawser, byBuildx);
    });
  }

  test("every difference that is accepted occurs", () => {
    assert.deepEqual(judge(differences).unneeded, []);
  });
});
