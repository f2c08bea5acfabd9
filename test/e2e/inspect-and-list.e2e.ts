import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { againstDockerd, clients, runClient, textOf, useTarget } from "./kit-target.ts";

/** Three containers that all tests look at: `up` runs, `done` has ended with 3, `fresh` was only created; in this order. */
const target = useTarget({
  async prepare(fresh) {
    await fresh.ok(
      "run",
      "-d",
      "--name",
      "up",
      "--label",
      "team=blue",
      "--label",
      "empty",
      "busybox",
      "sleep",
      "600",
    );
    const script = "echo x >/file; exit 3";
    await fresh.docker(["run", "--name", "done", "--label", "team=red", "busybox", "sh", "-c", script]);
    await fresh.ok("create", "--name", "fresh", "--env", "A=1", "busybox", "a command", "of words");
  },
});

for (const client of clients) {
  const call = async (...args: string[]) => {
    const result = await runClient(target, client, { args });
    assert.equal(result.stderr, "");
    assert.equal(result.exitCode, 0);
    return result.stdout;
  };
  const names = async (...flags: string[]) =>
    (await call("ps", "--format", "{{.Names}}", ...flags)).split("\n").filter((name) => name !== "");

  describe(`ps, by ${client.name}`, () => {
    test("shows a table", async () => {
      const [head = "", first = "", second = ""] = (await call("ps", "-a")).split("\n");
      assert.match(head, /^CONTAINER ID   IMAGE     COMMAND +CREATED +STATUS +PORTS +NAMES$/);
      assert.match(first, /^[0-9a-f]{12}   busybox   "a command 'of words'"   .*ago +Created +fresh$/);
      assert.match(
        second,
        /^[0-9a-f]{12}   busybox   "sh -c 'echo x >\/.{2,3}…" .*ago +Exited \(3\) .*ago +done$/,
      );
      const running = await call("ps");
      assert.match(running, /"sleep 600" .*Up (.* seconds?|About a minute|\d+ minutes) +up\n$/);
    });

    test("shows what runs; all with -a; the last created with -n and -l", async () => {
      assert.deepEqual(await names(), ["up"]);
      assert.deepEqual(await names("-a"), ["fresh", "done", "up"]);
      assert.deepEqual(await names("-n", "2"), ["fresh", "done"]);
      assert.deepEqual(await names("-l"), ["fresh"]);
    });

    test("filters", async () => {
      const found = async (...filters: string[]) =>
        await names("-a", ...filters.flatMap((filter) => ["-f", filter]));
      assert.deepEqual(await found("status=exited"), ["done"]);
      assert.deepEqual(await found("status=created", "status=running"), ["fresh", "up"]);
      assert.deepEqual(await found("exited=3"), ["done"]);
      assert.deepEqual(await found("name=o"), ["done"]);
      assert.deepEqual(await found("name=^/up$"), ["up"]);
      assert.deepEqual(await found("label=team"), ["done", "up"]);
      assert.deepEqual(await found("label=team=blue"), ["up"]);
      assert.deepEqual(await found("label=team", "label=empty"), ["up"]);
      assert.deepEqual(await found("ancestor=busybox"), ["fresh", "done", "up"]);
      assert.deepEqual(await found("ancestor=nosuch"), []);
      assert.deepEqual(await found("since=up"), ["fresh", "done"]);
      assert.deepEqual(await found("before=done"), ["up"]);
      assert.deepEqual(await found("network=bridge"), ["fresh", "done", "up"]);
    });

    test("refuses a filter that it does not know", async () => {
      const { exitCode, stderr } = await runClient(target, client, { args: ["ps", "-f", "nosuch=1"] });
      assert.equal(exitCode, 1);
      assert.match(stderr, /[Ii]nvalid filter '?nosuch/);
    });

    test("formats", async () => {
      const id = textOf((await target.inspect("up"))["Id"]);
      assert.equal(await call("ps", "-q"), `${id.slice(0, 12)}\n`);
      assert.equal(await call("ps", "-q", "--no-trunc"), `${id}\n`);
      assert.equal(
        await call("ps", "--format", '{{.Label "team"}} {{.State}} {{.Image}}'),
        "blue running busybox\n",
      );
      assert.equal(
        await call("ps", "--format", "table {{.Names}}\t{{.Networks}}"),
        "NAMES     NETWORKS\nup        bridge\n",
      );
      const json = JSON.parse(await call("ps", "--format", "{{json .}}", "--no-trunc")) as Record<
        string,
        string
      >;
      assert.deepEqual(
        [json["ID"], json["Names"], json["Labels"]?.split(",").toSorted().join()],
        [id, "up", "empty=,team=blue"],
      );
    });
  });

  describe(`inspect, by ${client.name}`, () => {
    test("tells a container's state, configuration and names", async () => {
      const [found] = JSON.parse(await call("inspect", "done"));
      assert.equal(found.Name, "/done");
      assert.equal(found.Path, "sh");
      assert.deepEqual(found.Args, ["-c", "echo x >/file; exit 3"]);
      assert.equal(found.State.Status, "exited");
      assert.deepEqual(found.Config.Cmd, ["sh", "-c", "echo x >/file; exit 3"]);
      assert.deepEqual(found.Config.Labels, { team: "red" });
      assert.equal(found.Config.Image, "busybox");
      assert.equal(found.HostConfig.NetworkMode, againstDockerd ? "default" : "bridge");
      assert.match(found.Created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z$/);
      assert.match(found.Image, /^sha256:[0-9a-f]{64}$/);
    });

    test("formats as Go's templates do", async () => {
      const format = async (template: string, name: string) => await call("inspect", "-f", template, name);
      assert.equal(await format("{{.State.ExitCode}} {{.State.Running}}", "done"), "3 false\n");
      assert.equal(await format("{{json .Config.Cmd}}", "fresh"), '["a command","of words"]\n');
      assert.equal(await format("{{range .Config.Cmd}}[{{.}}]{{end}}", "fresh"), "[a command][of words]\n");
      assert.equal(await format('{{index .Config.Labels "team"}}', "up"), "blue\n");
      assert.equal(await format("{{if .State.Running}}yes{{else}}no{{end}}", "up"), "yes\n");
      assert.equal(await format("{{len .Args}}", "fresh"), "1\n");
      assert.equal(await format('{{.Name | printf "%s!"}}', "up"), "/up!\n");
      assert.equal(await format("{{.Config.Env}}", "fresh"), "[A=1]\n");
    });

    test("finds images too, and says what it does not find", async () => {
      assert.equal(await call("inspect", "-f", "{{.RepoTags}}", "busybox"), "[busybox:latest]\n");
      const { exitCode, stdout, stderr } = await runClient(target, client, {
        args: ["inspect", "up", "nosuch"],
      });
      assert.equal(exitCode, 1);
      assert.equal(JSON.parse(stdout).length, 1);
      assert.match(stderr, /[Nn]o such object: nosuch/);
    });
  });
}

describe("size", () => {
  test("ps -s and inspect -s tell what a container has written", async () => {
    assert.match(await target.ok("ps", "-s", "--format", "{{.Size}}"), /^0B \(virtual \d/);
    assert.match(
      await target.ok("ps", "-as", "-f", "name=done", "--format", "{{.Size}}"),
      /^2B \(virtual \d/,
    );
    assert.equal(await target.ok("inspect", "-s", "-f", "{{.SizeRw}}", "done"), "2\n");
  });
});
