import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { ask } from "./kit-http.ts";
import { hawserOnly, textOf, useTarget } from "./kit-target.ts";

const target = useTarget();
const patient = ["busybox", "sleep", "600"];
const startPatient = (name: string, ...flags: string[]) =>
  target.ok("run", "-d", "--name", name, ...flags, ...patient);
const statusOf = async (name: string) => textOf((await target.inspect(name))["State"]?.["Status"]);
const call = async (what: string, body?: unknown) =>
  await ask(target.socket(), what, body === undefined ? {} : { body });
const refusal = async (what: string, body?: unknown) => {
  const { status, text } = await call(what, body);
  return `${status} ${text}`;
};
/** What happened to a container, in order. */
const actionsOf = async (name: string) => {
  const filters = encodeURIComponent(JSON.stringify({ container: [name], type: ["container"] }));
  const { text } = await call(
    `GET /events?since=1&until=${Math.floor(Date.now() / 1000) + 1}&filters=${filters}`,
  );
  const lines = text.trim().split("\n");
  return lines.map((line) => (JSON.parse(line) as { readonly Action: string }).Action);
};

test("a paused container stands still, says so, and goes on", async () => {
  const ticks = ["busybox", "sh", "-c", "while :; do echo tick; sleep 0.02; done"];
  await target.ok("run", "-d", "--name", "ticks", ...ticks);
  const count = async () => (await target.ok("logs", "ticks")).length;
  await eventually(async () => (await count()) > 0);
  await target.ok("pause", "ticks");
  assert.equal(await statusOf("ticks"), "paused");
  assert.match(
    await target.ok("ps", "--format", "{{.Status}}", "--filter", "name=ticks"),
    /^Up .* \(Paused\)\n$/,
  );
  const still = await count();
  assert.match(await refusal("POST /containers/ticks/pause"), /^409 .*is already paused/);
  assert.match(
    await refusal("POST /containers/ticks/exec", { Cmd: ["true"] }),
    /^409 .*is paused, unpause the container before exec/,
  );
  assert.match(
    await refusal("POST /containers/ticks/attach?stream=1"),
    /^409 .*unpause the container before attach/,
  );
  assert.match(
    await refusal("POST /containers/ticks/start"),
    /^409 .*cannot start a paused container, try unpause/,
  );
  assert.match(await refusal("DELETE /containers/ticks"), /^409 /);
  assert.equal(await count(), still);
  await target.ok("unpause", "ticks");
  assert.equal(await statusOf("ticks"), "running");
  await eventually(async () => (await count()) > still);
  assert.match(await refusal("POST /containers/ticks/unpause"), /^500 .*is not paused/);
  await target.ok("pause", "ticks");
  await target.ok("rm", "-f", "ticks");
});

test("a paused container is stopped and killed all the same", async () => {
  await startPatient("frozen");
  await target.ok("pause", "frozen");
  await target.ok("stop", "-t", "0", "frozen");
  assert.equal(await statusOf("frozen"), "exited");
  await target.ok("start", "frozen");
  await target.ok("pause", "frozen");
  await target.ok("kill", "frozen");
  assert.equal(await statusOf("frozen"), "exited");
  const actions = await actionsOf("frozen");
  // Whether dockerd tells of an `unpause` depends on which comes first, that or the end.
  const told = ["pause", "kill", "die"].map((wanted) => actions.filter((action) => action === wanted).length);
  assert.deepEqual(told, [2, 3, 2]);
  await target.ok("rm", "frozen");
});

test("a paused container is paused for the next engine too", hawserOnly, async () => {
  await startPatient("kept");
  await target.ok("pause", "kept");
  await target.engine().kill();
  await target.engine().start();
  assert.equal(await statusOf("kept"), "paused");
  await target.ok("unpause", "kept");
  assert.equal(await target.ok("exec", "kept", "echo", "awake"), "awake\n");
  await target.ok("rm", "-f", "kept");
});

test("rename gives another name, and frees the old one", async () => {
  await startPatient("before");
  await target.ok("create", "--name", "other", ...patient);
  assert.match(
    await refusal("POST /containers/before/rename?name="),
    /^400 .*[Nn]either old nor new names may be empty/,
  );
  assert.match(
    await refusal("POST /containers/before/rename?name=before"),
    /^400 .*same name as its current name/,
  );
  assert.match(await refusal("POST /containers/before/rename?name=-x"), /^400 .*Invalid container name/);
  assert.match(
    await refusal("POST /containers/before/rename?name=other"),
    /^409 .*Error when allocating new name: Conflict. The container name .*is already in use/,
  );
  await target.ok("rename", "before", "after");
  assert.equal((await call("GET /containers/before/json")).status, 404);
  assert.equal(textOf((await target.inspect("after"))["Name"]), "/after");
  assert.ok((await actionsOf("after")).includes("rename"));
  await target.ok("create", "--name", "before", ...patient);
  await target.ok("rm", "-f", "before", "after", "other");
});

test("update changes the limits of a running container and of its next run", async () => {
  await startPatient("limited", "--memory", "64m");
  const limits = "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/memory/memory.limit_in_bytes";
  await target.ok(
    "update",
    "--memory",
    "32m",
    "--pids-limit",
    "77",
    "--cpus",
    "0.5",
    "--restart",
    "always",
    "limited",
  );
  const host = (await target.inspect("limited"))["HostConfig"];
  assert.equal(Number(textOf(host?.["Memory"])), 32 << 20);
  assert.equal(Number(textOf(host?.["PidsLimit"])), 77);
  assert.equal(textOf(host?.["RestartPolicy"]?.["Name"]), "always");
  assert.match(await target.ok("exec", "limited", "sh", "-c", limits), /^77\n33554432\n$/);
  await target.ok("restart", "-t", "0", "limited");
  assert.match(await target.ok("exec", "limited", "sh", "-c", limits), /^77\n33554432\n$/);
  assert.match(
    await refusal("POST /containers/limited/update", { Memory: 1 }),
    /^400 .*Minimum memory limit/,
  );
  assert.match(
    await refusal("POST /containers/limited/update", { CpuPeriod: 10_000 }),
    /^409 .*Cannot update container .*CPU Period cannot be updated as NanoCPUs has already been set/,
  );
  assert.match(
    await refusal("POST /containers/limited/update", { CpusetCpus: "999" }),
    /^400 .*not available/,
  );
  assert.deepEqual((await call("POST /containers/limited/update", {})).json(), { Warnings: null });
  await target.ok("rm", "-f", "limited");
});

test("top shows the container's processes and no others", async () => {
  await target.ok("run", "-d", "--name", "busy", "busybox", "sh", "-c", "sleep 601 & sleep 602 & wait");
  // A child of the shell's is one more shell before it is what it is to be.
  await eventually(async () => {
    const { Titles, Processes } = JSON.parse((await call("GET /containers/busy/top")).text);
    assert.deepEqual(Titles, ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
    assert.deepEqual(Processes.map((row: string[]) => row.at(-1)).sort(), [
      "sh -c sleep 601 & sleep 602 & wait",
      "sleep 601",
      "sleep 602",
    ]);
    return true;
  });
  assert.equal((await target.ok("top", "busy")).split("\n").length, 5);
  const forest = JSON.parse((await call("GET /containers/busy/top?ps_args=axf")).text);
  assert.equal(forest.Processes.length, 3);
  assert.match(await refusal("GET /containers/busy/top?ps_args=-o+user"), /^500 .*Couldn't find PID field/);
  assert.match(
    await refusal("GET /containers/busy/top?ps_args=-o+nosuch"),
    /^500 .*unknown user-defined format/,
  );
  await target.ok("stop", "-t", "0", "busy");
  assert.match(await refusal("GET /containers/busy/top"), /^409 .*is not running/);
  await target.ok("rm", "busy");
});

test("stats has two samples, one, or a stream of them", async () => {
  await startPatient("measured", "--memory", "64m", "--pids-limit", "20");
  const two = JSON.parse((await call("GET /v1.41/containers/measured/stats?stream=0")).text);
  assert.ok(two.precpu_stats.system_cpu_usage > 0);
  assert.ok(two.cpu_stats.system_cpu_usage > two.precpu_stats.system_cpu_usage);
  assert.equal(two.memory_stats.limit, 64 << 20);
  assert.ok(two.memory_stats.usage > 0);
  assert.deepEqual(two.pids_stats, { current: 1, limit: 20 });
  assert.equal(typeof two.networks.eth0.rx_bytes, "number");
  assert.equal(two.name, "/measured");
  const one = JSON.parse((await call("GET /v1.41/containers/measured/stats?stream=0&one-shot=1")).text);
  assert.equal(one.precpu_stats.system_cpu_usage, undefined);
  assert.match(
    await refusal("GET /v1.41/containers/measured/stats?one-shot=1"),
    /^400 .*stream=true and one-shot=true/,
  );
  assert.match(
    await target.ok("stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", "measured"),
    /^measured 1\n$/,
  );
  await target.ok("stop", "-t", "0", "measured");
  const none = JSON.parse((await call("GET /v1.41/containers/measured/stats?stream=0")).text);
  assert.deepEqual([none.memory_stats, none.read], [{}, "0001-01-01T00:00:00Z"]);
  await target.ok("rm", "measured");
});

test("prune takes the containers that do not run and says what that gives", async () => {
  await startPatient("runs", "--label", "prune=yes");
  await target.ok(
    "run",
    "--name",
    "wrote",
    "--label",
    "prune=yes",
    "busybox",
    "sh",
    "-c",
    "head -c 5000 /dev/zero >/file",
  );
  await target.ok("create", "--name", "spared", "--label", "prune=no", ...patient);
  const prune = async (filters: object) => {
    const { text } = await call(
      `POST /containers/prune?filters=${encodeURIComponent(JSON.stringify(filters))}`,
    );
    return JSON.parse(text) as {
      readonly ContainersDeleted: string[] | null;
      readonly SpaceReclaimed: number;
    };
  };
  const id = textOf((await target.inspect("wrote"))["Id"]);
  assert.deepEqual(await prune({ label: ["prune=yes"], until: ["1h"] }), {
    ContainersDeleted: null,
    SpaceReclaimed: 0,
  });
  assert.deepEqual(await prune({ label: ["prune=yes"] }), { ContainersDeleted: [id], SpaceReclaimed: 5000 });
  assert.equal(await statusOf("spared"), "created");
  assert.match(await refusal("POST /containers/prune?filters=%7B%22status%22:%5B%22x%22%5D%7D"), /^400 /);
  assert.equal(((await prune({})).ContainersDeleted ?? []).length, 1);
  await target.ok("rm", "-f", "runs");
});
