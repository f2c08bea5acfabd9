import assert from "node:assert/strict";
import { test } from "node:test";
import { makeConfig } from "../testing/container-config.ts";
import { mergeImageConfig } from "./merge-image-config.ts";

const image = {
  entrypoint: ["/entry"],
  cmd: ["serve"],
  env: ["A=image", "B=image"],
  workingDir: "/srv",
  user: "web",
};

/** [asked entrypoint, asked cmd] → the command line that runs */
const commands = [
  { asked: {}, runs: ["/entry", "serve"] },
  { asked: { cmd: ["x"] }, runs: ["/entry", "x"] },
  { asked: { cmd: [] }, runs: ["/entry", "serve"] },
  { asked: { entrypoint: ["sh"] }, runs: ["sh"] },
  { asked: { entrypoint: ["sh"], cmd: ["-c", "y"] }, runs: ["sh", "-c", "y"] },
  { asked: { entrypoint: [""], cmd: ["z"] }, runs: ["z"] },
  { asked: { entrypoint: [""] }, runs: [] },
];
for (const { asked, runs } of commands) {
  test(`entrypoint and command: ${JSON.stringify(asked)} runs ${JSON.stringify(runs)}`, () => {
    const { cmd: _cmd, ...rest } = makeConfig();
    const merge = () => mergeImageConfig({ ...rest, ...asked }, image);
    if (runs.length === 0) {
      assert.throws(merge, { kind: "invalid-argument", message: "no command specified" });
      return;
    }
    const { entrypoint = [], cmd = [] } = merge();
    assert.deepEqual([...entrypoint, ...cmd], runs);
  });
}

test("the container's words win over the image's, which fill the gaps", () => {
  const merged = mergeImageConfig(
    makeConfig({ env: ["B=own", "C=own"], labels: { a: "own" }, exposedPorts: ["80/tcp"], volumes: ["/v"] }),
    { ...image, labels: { a: "image", b: "image" }, exposedPorts: ["80/tcp", "81/tcp"], volumes: ["/w"] },
  );
  assert.deepEqual(merged.env, ["B=own", "C=own", "A=image"]);
  assert.deepEqual(merged.labels, { a: "own", b: "image" });
  assert.deepEqual(merged.exposedPorts, ["80/tcp", "81/tcp"]);
  assert.deepEqual(merged.volumes, ["/v", "/w"]);
  assert.equal(merged.workingDir, "/srv");
  assert.equal(merged.user, "web");
});

test("a health check takes over what it does not say itself", () => {
  const none = { intervalNs: 0, timeoutNs: 0, startPeriodNs: 0, startIntervalNs: 0, retries: 0 };
  const { healthcheck } = mergeImageConfig(makeConfig({ healthcheck: { ...none, test: [], retries: 9 } }), {
    healthcheck: { ...none, test: ["CMD", "true"], intervalNs: 5, retries: 2 },
  });
  assert.deepEqual(healthcheck, { ...none, test: ["CMD", "true"], intervalNs: 5, retries: 9 });
});
