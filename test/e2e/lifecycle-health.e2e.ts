import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { ask } from "./kit-http.ts";
import { hawserOnly, type Json, textOf, useTarget } from "./kit-target.ts";

const target = useTarget();
const patient = ["busybox", "sleep", "600"];
const start = (name: string, check: string, ...flags: readonly string[]) =>
  target.ok(
    "run",
    "-d",
    "--name",
    name,
    "--health-cmd",
    check,
    "--health-interval",
    "200ms",
    ...flags,
    ...patient,
  );
const healthOf = async (name: string): Promise<Json | undefined> =>
  (await target.inspect(name))["State"]?.["Health"];
const becomes = (name: string, status: string) =>
  eventually(async () => textOf((await healthOf(name))?.["Status"]) === status, {
    deadlineMs: 15_000,
    what: `${name} is ${status}`,
  });
const psOf = (name: string) => target.ok("ps", "-a", "--format", "{{.Status}}", "--filter", `name=${name}`);
const named = async (health: string) =>
  (await target.ok("ps", "-a", "--format", "{{.Names}}", "--filter", `health=${health}`)).trim();

test("a container becomes unhealthy and healthy by its check", async () => {
  const check = "echo looking; while ! test -e /go; do sleep 0.1; done; test -e /ok";
  await start("checked", check, "--health-retries", "2");
  assert.equal(textOf((await healthOf("checked"))?.["Status"]), "starting");
  assert.match(await psOf("checked"), /^Up .* \(health: starting\)\n$/);
  await target.ok("exec", "checked", "touch", "/go");
  await becomes("checked", "unhealthy");
  const first = (await healthOf("checked"))?.["Log"]?.[0];
  assert.equal(first?.["Output"], "looking\n");
  assert.equal(Number(textOf(first?.["ExitCode"])), 1);
  await target.ok("exec", "checked", "touch", "/ok");
  await becomes("checked", "healthy");
  assert.match(await psOf("checked"), /^Up .* \(healthy\)\n$/);
  assert.deepEqual([await named("healthy"), await named("none")], ["checked", ""]);
  const filters = encodeURIComponent(JSON.stringify({ container: ["checked"], event: ["health_status"] }));
  const until = Math.floor(Date.now() / 1000) + 1;
  const { text } = await ask(target.socket(), `GET /events?since=1&until=${until}&filters=${filters}`);
  const actions = text
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { readonly Action: string }).Action);
  assert.deepEqual(actions, ["health_status: unhealthy", "health_status: healthy"]);
  await target.ok("stop", "-t", "0", "checked");
  assert.equal(textOf((await healthOf("checked"))?.["Status"]), "unhealthy");
  await target.ok("rm", "checked");
});

test("five results are kept", async () => {
  await start("kept", "true");
  await eventually(
    async () => {
      const log = (await healthOf("kept"))?.["Log"];
      return Array.isArray(log) && log.length === 5;
    },
    { deadlineMs: 15_000 },
  );
  await target.ok("rm", "-f", "kept");
});

test("a check that takes too long has failed", async () => {
  await start("slow", "sleep 60", "--health-timeout", "200ms", "--health-retries", "1");
  await becomes("slow", "unhealthy");
  const result = (await healthOf("slow"))?.["Log"]?.[0];
  assert.equal(Number(textOf(result?.["ExitCode"])), -1);
  assert.match(textOf(result?.["Output"]), /^Health check exceeded timeout \(200ms\)/);
  await target.ok("rm", "-f", "slow");
});

test("without a check there is no health, and a wrong one is refused", async () => {
  await target.ok("run", "-d", "--name", "none", "--no-healthcheck", ...patient);
  assert.equal(await healthOf("none"), undefined);
  await target.ok("rm", "-f", "none");
  const body = { Image: "busybox", Healthcheck: { Test: ["CMD", "true"], Interval: 10 } };
  const { status, text } = await ask(target.socket(), "POST /containers/create", { body });
  assert.match(`${status} ${text}`, /^(400|500) .*Interval in Healthcheck cannot be less than 1ms/);
});

test("health outlives the engine, and is looked after by the next one", hawserOnly, async () => {
  await start("survives", "test ! -e /ill", "--health-retries", "1");
  await becomes("survives", "healthy");
  await target.engine().kill();
  await target.engine().start();
  assert.equal(textOf((await healthOf("survives"))?.["Status"]), "healthy");
  await target.ok("exec", "survives", "touch", "/ill");
  await becomes("survives", "unhealthy");
  await target.ok("rm", "-f", "survives");
});
