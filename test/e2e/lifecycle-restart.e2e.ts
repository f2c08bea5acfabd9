import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { ask } from "./kit-http.ts";
import { hawserOnly, textOf, useTarget } from "./kit-target.ts";

const target = useTarget();
const failing = ["busybox", "sh", "-c", "exit 4"];
const patient = ["busybox", "sleep", "600"];
const start = (name: string, policy: string, command: readonly string[]) =>
  target.ok("run", "-d", "--name", name, "--restart", policy, ...command);
const stateOf = async (name: string) => {
  const found = await target.inspect(name);
  return {
    status: textOf(found["State"]?.["Status"]),
    running: found["State"]?.["Running"],
    restarting: found["State"]?.["Restarting"],
    exitCode: Number(textOf(found["State"]?.["ExitCode"])),
    restarts: Number(textOf(found["RestartCount"])),
  };
};
const refusal = async (what: string) => {
  const { status, text } = await ask(target.socket(), what);
  return `${status} ${text}`;
};

test("on-failure tries so often and no more", async () => {
  await start("tries", "on-failure:2", failing);
  await eventually(async () => (await stateOf("tries")).status === "exited", { deadlineMs: 15_000 });
  assert.deepEqual(await stateOf("tries"), {
    status: "exited",
    running: false,
    restarting: false,
    exitCode: 4,
    restarts: 2,
  });
  await start("fine", "on-failure", ["busybox", "true"]);
  assert.equal(await target.ok("wait", "fine"), "0\n");
  assert.deepEqual((await stateOf("fine")).restarts, 0);
  await target.ok("rm", "tries", "fine");
});

test("a container that waits for its restart says so and refuses what needs a process", async () => {
  await start("loops", "always", failing);
  await eventually(async () => (await stateOf("loops")).restarts >= 5, { deadlineMs: 20_000 });
  await eventually(async () => (await stateOf("loops")).status === "restarting");
  assert.deepEqual(
    { ...(await stateOf("loops")), restarts: 0 },
    {
      status: "restarting",
      running: true,
      restarting: true,
      exitCode: 4,
      restarts: 0,
    },
  );
  assert.match(
    await target.ok("ps", "--format", "{{.Status}}", "--filter", "name=loops"),
    /^Restarting \(4\) /,
  );
  assert.match(await refusal("POST /containers/loops/pause"), /^409 .*is restarting, wait until/);
  assert.match(await refusal("POST /containers/loops/start"), /^304 /);
  assert.match(await refusal("DELETE /containers/loops"), /^409 .*restarting/);
  await target.ok("stop", "loops");
  const { restarts, ...stopped } = await stateOf("loops");
  assert.deepEqual(stopped, { status: "exited", running: false, restarting: false, exitCode: 4 });
  await target.ok("start", "loops");
  assert.ok((await stateOf("loops")).restarts < restarts);
  await target.ok("rm", "-f", "loops");
});

test("a stop and a kill by a user are the end", async () => {
  await start("ended", "always", patient);
  await target.ok("stop", "-t", "0", "ended");
  assert.equal((await stateOf("ended")).status, "exited");
  await target.ok("start", "ended");
  await target.ok("kill", "ended");
  assert.deepEqual([(await stateOf("ended")).status, (await stateOf("ended")).restarts], ["exited", 0]);
  await target.ok("rm", "ended");
});

test("each run that ends is told to those who wait", async () => {
  await start("waited", "on-failure:1", ["busybox", "sh", "-c", "sleep 0.5; exit 6"]);
  assert.equal(await target.ok("wait", "waited"), "6\n");
  await target.ok("rm", "-f", "waited");
});

test("an engine that starts brings back what should run", hawserOnly, async () => {
  const engine = target.engine();
  await start("died", "always", patient);
  await start("stays", "unless-stopped", patient);
  await start("stopped", "unless-stopped", patient);
  await start("again", "always", patient);
  await start("plain", "no", patient);
  await target.ok("stop", "-t", "0", "stopped", "again");
  const pids = await Promise.all(
    ["died", "plain"].map(async (name) => Number(textOf((await target.inspect(name))["State"]?.["Pid"]))),
  );
  await engine.kill();
  for (const pid of pids) process.kill(pid, "SIGKILL");
  await engine.start();
  await eventually(async () => (await stateOf("died")).status === "running");
  await eventually(async () => (await stateOf("again")).status === "running");
  assert.deepEqual(
    await Promise.all(["stays", "stopped", "plain"].map(async (name) => (await stateOf(name)).status)),
    ["running", "exited", "exited"],
  );
  await target.ok("rm", "-f", "died", "stays", "stopped", "again", "plain");
});

test("a restart that an engine did not live to see is the next one's", hawserOnly, async () => {
  const count = "echo >> /runs; test $(wc -l < /runs) -lt 4 || exec sleep 600; exit 1";
  await start("between", "always", ["busybox", "sh", "-c", count]);
  // Told when the third run has ended: from then on it waits for 400 ms.
  await eventually(async () => (await stateOf("between")).restarts === 3);
  await target.engine().kill();
  await target.engine().start();
  await eventually(async () => (await stateOf("between")).status === "running");
  assert.equal((await stateOf("between")).restarts, 3);
  await target.ok("rm", "-f", "between");
});
