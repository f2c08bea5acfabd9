import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { accepted } from "./testing/docker-client/accepted.ts";
import { answers } from "./testing/docker-client/answers.ts";
import { clientCalls } from "./testing/docker-client/calls.ts";
import { compare, type Difference, judge } from "./testing/docker-client/compare.ts";
import { normalise, readRecording } from "./testing/docker-client/recording.ts";
import { openFakeEngine } from "./testing/fake-engine.ts";
import { runClient } from "./testing/run-client.ts";

process.env["TZ"] = "UTC";

/** `testdata/docker-client-*.jsonl` is what docker's client did; `testing/docker-client/record.ts` makes it. */
test("our client does with every call what docker's does", async () => {
  const recording = readRecording();
  const known = new Map(recording.answers.map((answer) => [answer.argv.join("\0"), answer]));
  await using dir = await openTempDir();
  await using engine = await openFakeEngine({ replies: answers(recording.nowSeconds) });
  const place = { dir: dir.path, host: engine.host };
  const differences: Difference[] = [];
  for (const argv of await clientCalls()) {
    const docker = known.get(argv.join("\0"));
    assert.ok(docker, `not recorded: ${argv.join(" ")}`);
    const { code, stdout, stderr } = await runClient({
      argv,
      host: engine.host,
      input: "",
      environment: { DOCKER_HOST: engine.host },
      configDir: dir.path,
      config: readConfig(dir.path),
      workingDir: dir.path,
      now: new Date(recording.nowSeconds * 1000),
    });
    const hawser = { argv, code, stdout: normalise(stdout, place), stderr: normalise(stderr, place) };
    differences.push(...compare(docker, hawser));
  }
  assert.deepEqual(judge(differences, accepted), { unexplained: [], unneeded: [] });
});

function readConfig(dir: string): object {
  try {
    return JSON.parse(readFileSync(join(dir, "config.json"), "utf8")) as object;
  } catch {
    return {};
  }
}
