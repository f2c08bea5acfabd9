import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { eventually, openTempDir } from "@hawser/base/testing";
import { dockerCli } from "./kit-cli.ts";
import { ask, openRaw, splitHead } from "./kit-http.ts";
import { startProgram } from "./kit-process.ts";
import { clients, hawserOnly, type Json, runClient, textOf, useTarget } from "./kit-target.ts";

const target = useTarget();
/** The engine's clock as the API takes it: seconds and nanoseconds since 1970. */
const now = async () => {
  const time = textOf((await ask(target.socket(), "GET /info")).json()["SystemTime"]);
  const [, fraction = ""] = /\.(\d+)/.exec(time) ?? [];
  return `${Math.floor(Date.parse(time) / 1000)}.${fraction.padEnd(9, "0")}`;
};

/** What has happened while `what` was done, as the API tells it afterwards. */
async function eventsOf(what: () => Promise<unknown>, filters: object = {}): Promise<Json[]> {
  const since = await now();
  await what();
  const query = new URLSearchParams({ since, until: await now(), filters: JSON.stringify(filters) });
  const { text } = await ask(target.socket(), `GET /v1.41/events?${query.toString()}`);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Json);
}
const actions = (events: readonly Json[]) =>
  events.map((event) => `${textOf(event["Type"])} ${textOf(event["Action"])}`);

describe("events", () => {
  test("tell the life of run --rm, in order", async () => {
    const events = await eventsOf(() =>
      target.docker(["run", "--rm", "--name", "short", "busybox", "sh", "-c", "exit 3"]),
    );
    assert.deepEqual(actions(events), [
      "container create",
      "container attach",
      "network connect",
      "container start",
      "network disconnect",
      "container die",
      "container destroy",
    ]);
  });

  test("are told to docker's CLI from its start on, though it asks later", hawserOnly, async () => {
    await target.docker(["run", "--rm", "--name", "before", "busybox", "true"]);
    await using dir = await openTempDir();
    const log = join(dir.path, "events");
    const words = [dockerCli(), "-H", `unix://${target.socket()}`, "events", "--filter", "event=start"];
    // A client's process that has not come to ask yet.
    const script = 'sleep 0.7; exec "$@"';
    const listening = await startProgram(["sh", "-c", script, "sh", ...words], { log });
    try {
      await target.docker(["run", "--rm", "--name", "meanwhile", "busybox", "true"]);
      await eventually(async () => (await readFile(log, "utf8")).includes("name=meanwhile"));
      assert.doesNotMatch(await readFile(log, "utf8"), /name=before/);
    } finally {
      await listening.kill("SIGTERM");
    }
  });

  test("say who, what, when, with the old fields for old clients", async () => {
    const [die] = await eventsOf(
      () => target.docker(["run", "--name", "said", "-l", "team=blue", "busybox", "sh", "-c", "exit 4"]),
      { event: ["die"] },
    );
    assert.ok(die !== undefined);
    const id = textOf((await target.inspect("said"))["Id"]);
    assert.deepEqual([die["Type"], die["Action"], die["scope"]], ["container", "die", "local"]);
    assert.deepEqual([die["id"], die["status"], die["from"]], [id, "die", "busybox"]);
    assert.equal(textOf(die["Actor"]?.["ID"]), id);
    const attributes = die["Actor"]?.["Attributes"];
    for (const [name, value] of Object.entries({
      exitCode: "4",
      image: "busybox",
      name: "said",
      team: "blue",
    })) {
      assert.equal(textOf(attributes?.[name]), value);
    }
    assert.equal(textOf(die["timeNano"]).slice(0, 10), textOf(die["time"]));
  });

  test("tell of stop, kill, restart and exec", async () => {
    await target.ok("run", "-d", "--name", "busy", "busybox", "sleep", "600");
    const events = await eventsOf(
      async () => {
        await target.ok("exec", "busy", "true");
        await target.ok("restart", "-t", "0", "busy");
        await target.ok("kill", "busy");
        await target.ok("rm", "busy");
      },
      { type: ["container"], container: ["busy"] },
    );
    assert.deepEqual(
      actions(events).map((action) => action.replace("container ", "").trim()),
      [
        "exec_create: true",
        "exec_start: true",
        "exec_die",
        "kill",
        "kill",
        "stop",
        "die",
        "start",
        "restart",
        "kill",
        "die",
        "destroy",
      ],
    );
  });

  test("tell of a stop before the end that it brings, and of that before the removal", async () => {
    await target.ok("run", "-d", "--rm", "--name", "passing", "-v", "passing:/v", "busybox", "sleep", "600");
    const events = await eventsOf(async () => {
      await target.ok("stop", "-t", "0", "passing");
      await eventually(async () => (await target.ok("ps", "-aq", "-f", "name=passing")) === "");
    });
    assert.deepEqual(actions(events), [
      "container kill",
      "container kill",
      "network disconnect",
      "volume unmount",
      "container stop",
      "container die",
      "container destroy",
    ]);
    await target.ok("volume", "rm", "passing");
  });

  test("tell of images", async () => {
    const events = await eventsOf(async () => {
      await target.ok("tag", "busybox", "evented:1");
      await target.ok("rmi", "evented:1");
    });
    assert.deepEqual(actions(events), ["image tag", "image untag"]);
  });

  test("tell of a build cache that is emptied", async () => {
    const events = await eventsOf(() => ask(target.socket(), "POST /build/prune"));
    assert.deepEqual(actions(events), ["builder prune"]);
  });

  test("are filtered, in the new form of filters and the old one", async () => {
    const what = () => target.ok("run", "--rm", "-l", "team=green", "busybox", "true");
    for (const filters of [
      { label: ["team=green"], event: ["start"] },
      { label: { "team=green": true }, event: { start: true } },
    ]) {
      assert.deepEqual(actions(await eventsOf(what, filters)), ["container start"]);
    }
    assert.deepEqual(await eventsOf(what, { container: ["nosuch"] }), []);
  });

  test("tell of a client that types its detach keys", async () => {
    await target.ok("run", "-dit", "--name", "left", "busybox", "sh");
    using attached = openRaw(
      target.socket(),
      "POST /containers/left/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
    );
    await attached.until((text) => text.includes("\r\n\r\n"));
    attached.socket.write("\x10\x11");
    await attached.ended;
    const told = () =>
      target.ok(
        "events",
        "--since",
        "1",
        "--until",
        "0s",
        "--filter",
        "container=left",
        "--filter",
        "event=detach",
      );
    await eventually(async () => /container detach /.test(await told()), { what: "a detach is told" });
    await target.ok("rm", "-f", "left");
  });

  // Docker means to, but takes the keys for a failure.
  test("tell of a client that types its detach keys in an exec", hawserOnly, async () => {
    await target.ok("run", "-dit", "--name", "left-exec", "busybox", "sh");
    const body = { Cmd: ["cat", "-", "x"], Tty: true, AttachStdin: true, AttachStdout: true };
    const created = await ask(target.socket(), "POST /containers/left-exec/exec", { body });
    const start = JSON.stringify({ Detach: false, Tty: true });
    using attached = openRaw(
      target.socket(),
      `POST /exec/${textOf(created.json()["Id"])}/start HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: ${start.length}\r\n\r\n${start}`,
    );
    await attached.until((text) => text.includes("\r\n\r\n"));
    attached.socket.write("\x10\x11");
    await attached.ended;
    const told = () =>
      target.ok(
        "events",
        "--since",
        "1",
        "--until",
        "0s",
        "--filter",
        "container=left-exec",
        "--format",
        "{{json .}}",
      );
    await eventually(async () => /"Action":"exec_detach"/.test(await told()), { what: "it is told" });
    await target.ok("rm", "-f", "left-exec");
  });

  test("begin at once: the head comes before the first event", async () => {
    using connection = openRaw(target.socket(), "GET /v1.41/events HTTP/1.1\r\nHost: docker\r\n\r\n");
    const { head } = splitHead(await connection.until((text) => text.includes("\r\n\r\n")));
    assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(head, /Content-Type: application\/json/i);
  });
});

for (const client of clients) {
  describe(`events, by ${client.name}`, () => {
    test("follow what happens until the client goes", async () => {
      await using dir = await openTempDir();
      const argv = [...client.argv, "events", "--filter", "type=container", "--format", "{{.Action}}"];
      const follower = await startProgram(argv, { log: join(dir.path, "log"), env: target.environment() });
      await eventually(async () => {
        const id = (await target.ok("create", "busybox")).trim();
        await target.ok("rm", id);
        return /create\ndestroy\n/.test(follower.output());
      });
      await follower.kill("SIGINT");
    });

    test("show what was", async () => {
      const since = await now();
      const id = (await target.ok("create", "--name", "shown", "busybox")).trim();
      const { stdout } = await runClient(target, client, {
        args: ["events", "--since", since, "--until", await now()],
      });
      assert.match(
        stdout,
        new RegExp(`^\\d{4}-\\S+T\\S+ container create ${id} \\(image=busybox, name=shown\\)$`, "m"),
      );
      await target.ok("rm", "shown");
    });
  });
}
