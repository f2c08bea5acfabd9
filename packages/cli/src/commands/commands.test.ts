import assert from "node:assert/strict";
import test from "node:test";
import { openFakeEngine, outputFrame, refuse } from "../testing/fake-engine.ts";
import { runClient } from "../testing/run-client.ts";

const now = new Date("2026-11-23T12:00:00Z");
const summary = {
  Id: "0123456789abcdef0123456789abcdef",
  Names: ["/web"],
  Image: "busybox",
  ImageID: "sha256:fedcba9876543210",
  Command: "sleep 1000 and a long tail",
  Created: now.getTime() / 1000 - 180,
  Ports: [],
  Labels: { "com.example.some-name": "x", b: "<2>" },
  State: "running",
  Status: "Up 3 minutes",
  HostConfig: {},
  NetworkSettings: { Networks: { bridge: {} } },
  Mounts: [],
};

test("ps prints a table, ids, templates and JSON", async () => {
  await using engine = await openFakeEngine({ replies: { "GET /containers/json": () => [summary] } });
  const ps = async (...argv: string[]) => {
    const run = await runClient({ argv: ["ps", ...argv], host: engine.host, now });
    assert.deepEqual([run.code, run.stderr], [0, ""]);
    return run.stdout;
  };
  assert.equal(
    await ps(),
    "CONTAINER ID   IMAGE     COMMAND                  CREATED         STATUS         PORTS     NAMES\n" +
      '0123456789ab   busybox   "sleep 1000 and a lo…"   3 minutes ago   Up 3 minutes             web\n',
  );
  assert.equal(await ps("-q"), "0123456789ab\n");
  assert.equal(await ps("-q", "--no-trunc"), `${summary.Id}\n`);
  assert.equal(
    await ps("--format", 'table {{.Names}}\\t{{.Label "com.example.some-name"}}'),
    "NAMES     some name\nweb       x\n",
  );
  assert.equal(await ps("--format", '{{.Names}}|{{.Label "nosuch"}}|{{json .Image}}'), 'web||"busybox"\n');
  const json = JSON.parse(await ps("--format", "json")) as Record<string, unknown>;
  assert.deepEqual(
    [json["Names"], json["Labels"], json["Networks"]],
    ["web", "com.example.some-name=x,b=<2>", "bridge"],
  );
  assert.match(await ps("--format", "json"), /\\u003c2\\u003e/);
});

test("ps takes its format from the settings, and asks for sizes when a format shows them", async () => {
  await using engine = await openFakeEngine({ replies: { "GET /containers/json": () => [summary] } });
  const config = { psFormat: "{{.Names}} {{.Size}}" };
  const run = await runClient({ argv: ["ps", "-a", "-n", "2"], host: engine.host, now, config });
  assert.equal(run.stdout, "web 0B\n");
  assert.deepEqual(
    [...(engine.requests[0]?.query ?? [])],
    [
      ["all", "1"],
      ["limit", "2"],
      ["size", "1"],
    ],
  );
});

test("a wrong format is refused in Docker's words", async () => {
  await using engine = await openFakeEngine({ replies: { "GET /containers/json": () => [summary] } });
  const run = async (format: string) =>
    await runClient({ argv: ["ps", "--format", format], host: engine.host });
  assert.deepEqual(await run("{{.Foo}}"), {
    code: 1,
    stdout: "",
    stderr: `failed to execute template: template: :1:2: executing "" at <.Foo>: can't evaluate field Foo in type *formatter.ContainerContext\n`,
  });
  assert.deepEqual(await run("{{.Foo"), {
    code: 1,
    stdout: "",
    stderr: "failed to parse template: template: :1: unclosed action\n",
  });
});

test("stop, kill, restart and rm print names in order, then all refusals", async () => {
  const refused = (verb: string) => ({
    [`${verb} /containers/bad`]: (_: unknown, response: Parameters<typeof refuse>[0]) =>
      refuse(response, { status: 404, message: "No such container: bad" }),
  });
  await using engine = await openFakeEngine({
    replies: {
      "DELETE /containers/a": () => 204,
      "DELETE /containers/b": () => 204,
      ...refused("DELETE"),
      "POST /containers/a/stop": () => 304,
    },
  });
  const words = "Error response from daemon: No such container: bad\n";
  assert.deepEqual(await runClient({ argv: ["rm", "a", "bad", "b"], host: engine.host }), {
    code: 1,
    stdout: "a\nb\n",
    stderr: words,
  });
  assert.deepEqual(await runClient({ argv: ["rm", "-f", "bad"], host: engine.host }), {
    code: 0,
    stdout: "",
    stderr: words,
  });
  assert.deepEqual(await runClient({ argv: ["stop", "--time", "3", "a"], host: engine.host }), {
    code: 0,
    stdout: "a\n",
    stderr: "Flag --time has been deprecated, use --timeout instead\n",
  });
  assert.equal(engine.requests.at(-1)?.query.get("t"), "3");
});

test("inspect keeps the engine's JSON as it is, and tells what is not there at the end", async () => {
  await using engine = await openFakeEngine({
    replies: {
      "GET /containers/a/json": (_, response) => {
        response.end('{"Id":"a","Memory":9223372036854771712,"Html":"<a&b>","E":[]}\n');
      },
    },
  });
  const run = await runClient({ argv: ["inspect", "nosuch", "a"], host: engine.host });
  assert.deepEqual(run, {
    code: 1,
    stdout:
      '[\n    {\n        "Id": "a",\n        "Memory": 9223372036854771712,\n        "Html": "<a&b>",\n        "E": []\n    }\n]\n',
    stderr: "Error: No such object: nosuch\n",
  });
  const formatted = await runClient({
    argv: ["inspect", "-f", "{{.Memory}} {{json .Html}}", "a"],
    host: engine.host,
  });
  assert.equal(formatted.stdout, '9223372036854771712 "<a&b>"\n');
});

test("logs parts stdout from stderr, and leaves a terminal's bytes alone", async () => {
  let tty = false;
  await using engine = await openFakeEngine({
    replies: {
      "GET /containers/a/json": () => ({ Id: "a", Config: { Tty: tty } }),
      "GET /containers/a/logs": (_, response) => {
        response.end(
          tty ? "raw\r\n" : Buffer.concat([outputFrame("stdout", "out\n"), outputFrame("stderr", "err\n")]),
        );
      },
    },
  });
  const logs = ["logs", "-t", "-n", "5", "--since", "1h", "a"];
  assert.deepEqual(await runClient({ argv: logs, host: engine.host, now }), {
    code: 0,
    stdout: "out\n",
    stderr: "err\n",
  });
  const query = Object.fromEntries(engine.requests.at(-1)?.query ?? []);
  assert.deepEqual(query, {
    stdout: "1",
    stderr: "1",
    since: `${now.getTime() / 1000 - 3600}.000000000`,
    timestamps: "1",
    tail: "5",
  });
  tty = true;
  assert.equal((await runClient({ argv: ["logs", "a"], host: engine.host })).stdout, "raw\r\n");
});

test("exec ends with the exit code that the engine keeps", async () => {
  await using engine = await openFakeEngine({
    replies: {
      "POST /containers/a/exec": () => ({ Id: "e1" }),
      "GET /exec/e1/json": () => ({ ExitCode: 9 }),
    },
    streams: { "POST /exec/e1/start": (socket) => socket.end(outputFrame("stdout", "done\n")) },
  });
  const run = await runClient({ argv: ["exec", "-e", "A=1", "a", "ls", "-l"], host: engine.host });
  assert.deepEqual(run, { code: 9, stdout: "done\n", stderr: "" });
  const [asked] = engine.requests;
  assert.ok(asked !== undefined);
  const { Cmd, Env, AttachStdin } = asked.body as Record<string, unknown>;
  assert.deepEqual([Cmd, Env, AttachStdin], [["ls", "-l"], ["A=1"], false]);
});

test("load sends its input and shows what the engine says; a failure inside the stream is one", async () => {
  let reply = '{"stream":"Loaded image: a:1\\n"}\n';
  await using engine = await openFakeEngine({
    replies: { "POST /images/load": (_, response) => void response.end(reply) },
  });
  const load = async () => await runClient({ argv: ["load"], host: engine.host, input: "an archive" });
  assert.deepEqual(await load(), { code: 0, stdout: "Loaded image: a:1\n", stderr: "" });
  assert.equal(String(engine.requests[0]?.body), "an archive");
  reply = '{"stream":"half\\n"}{"errorDetail":{"message":"broken"},"error":"broken"}';
  assert.deepEqual(await load(), { code: 1, stdout: "half\n", stderr: "broken\n" });
  const missing = await runClient({ argv: ["load", "-i", "/no/such.tar"], host: engine.host });
  assert.deepEqual([missing.code, missing.stderr], [1, "open /no/such.tar: no such file or directory\n"]);
});

test("events come as lines with sorted attributes", async () => {
  const event = {
    Type: "container",
    Action: "start",
    Actor: { ID: "c1", Attributes: { name: "web", image: "busybox" } },
    time: 1,
    timeNano: 0,
  };
  await using engine = await openFakeEngine({
    replies: {
      "GET /events": (_, response) => {
        const text = JSON.stringify(event).replace('"timeNano":0', '"timeNano":1700000000000000001');
        response.end(`${text}\n${text}`);
      },
    },
  });
  const run = await runClient({ argv: ["events", "--since", "5"], host: engine.host });
  const line = / container start c1 \(image=busybox, name=web\)\n/;
  assert.match(run.stdout, new RegExp(`^.{19}\\.000000001\\S+${line.source}.*${line.source}$`));
  const formatted = await runClient({
    argv: ["events", "--format", "{{.Actor.Attributes.name}}"],
    host: engine.host,
  });
  assert.equal(formatted.stdout, "web\nweb\n");
});
