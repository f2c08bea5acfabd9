import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { againstDockerd, hawserOnly, useTarget } from "./kit-target.ts";

const target = useTarget();

/** Ports that the system gives nobody by itself, so that one stays free when its server is gone. */
const choosePort = () => randomInt(20_000, 28_000);

/** A syslog daemon by TCP, which takes as many connections as there are. */
async function openSyslog(port = choosePort()) {
  let text = "";
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setEncoding("utf8").on("data", (part: string) => (text += part));
    socket.on("error", () => {});
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return {
    port: address.port,
    options: [
      "--log-driver=syslog",
      `--log-opt=syslog-address=tcp://127.0.0.1:${address.port}`,
      "--log-opt=syslog-format=rfc5424",
      "--log-opt=tag={{.Name}}/{{.ImageName}}",
    ],
    lines: () => text.split("\n").slice(0, -1),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

const said = (lines: readonly string[]) => lines.map((line) => line.slice(line.lastIndexOf(" - ") + 3));

// A dockerd under test has a network of its own, and no way to this one's loopback.
describe("a log driver that sends", hawserOnly, () => {
  test("what a container says arrives, and is here for logs, too", async () => {
    await using syslog = await openSyslog();
    await target.ok(
      "run",
      "--name",
      "sent",
      ...syslog.options,
      "busybox",
      "sh",
      "-c",
      "echo out; echo err >&2",
    );
    await eventually(() => syslog.lines().length === 2);
    const [out = "", err = ""] = syslog.lines().toSorted().toReversed();
    assert.match(out, /^<30>1 \S+Z \S+ sent\/busybox \d+ sent\/busybox - out$/);
    assert.match(err, /^<27>1 \S+Z \S+ sent\/busybox \d+ sent\/busybox - err$/);
    const { stdout, stderr } = await target.docker(["logs", "sent"]);
    assert.deepEqual([stdout, stderr], ["out\n", "err\n"]);
    assert.equal(
      await target.ok("inspect", "-f", "{{.LogPath}}|{{.HostConfig.LogConfig.Type}}", "sent"),
      "|syslog\n",
    );
  });

  test("the last words of one that removes itself arrive", async () => {
    await using syslog = await openSyslog();
    await target.ok("run", "--rm", ...syslog.options, "busybox", "seq", "1", "3000");
    await eventually(() => syslog.lines().length === 3000);
    assert.deepEqual(
      said(syslog.lines()),
      Array.from({ length: 3000 }, (_, index) => String(index + 1)),
    );
  });

  test("a receiver that goes away and comes back misses nothing, nor does an engine's end", async () => {
    const first = await openSyslog();
    await target.ok(
      "run",
      "-d",
      "--name",
      "long",
      ...first.options,
      "busybox",
      "sh",
      "-c",
      "echo 1; for i in 2 3 4; do while [ ! -e /$i ]; do sleep 0.02; done; echo $i; done; sleep 1000",
    );
    await eventually(() => first.lines().length === 1);
    await first[Symbol.asyncDispose]();
    await target.docker(["exec", "long", "touch", "/2"]);
    await eventually(async () => (await target.docker(["logs", "long"])).stdout === "1\n2\n");
    await target.engine().kill();
    await target.engine().start();
    await target.docker(["exec", "long", "touch", "/3"]);
    await using second = await openSyslog(first.port);
    await eventually(() => said(second.lines()).includes("3"), { deadlineMs: 20_000 });
    await target.docker(["exec", "long", "touch", "/4"]);
    await eventually(() => said(second.lines()).includes("4"), { deadlineMs: 20_000 });
    const words = [...new Set(said(second.lines()))];
    assert.deepEqual(
      words.filter((word) => word !== "1"), // which may come twice
      ["2", "3", "4"],
    );
    await target.ok("rm", "-f", "long");
  });

  test("nobody there: the container does not start", async () => {
    const { port, options } = await (async () => {
      await using syslog = await openSyslog();
      return syslog;
    })();
    const { exitCode, stderr } = await target.docker([
      "run",
      "--name",
      "unheard",
      ...options,
      "busybox",
      "true",
    ]);
    assert.equal(exitCode, 125);
    assert.match(
      stderr,
      new RegExp(
        `failed to create task for container: failed to initialize logging driver: dial tcp 127.0.0.1:${port}: connect: connection refused`,
      ),
    );
    const patient = ["--log-driver=fluentd", `--log-opt=fluentd-address=127.0.0.1:${port}`];
    await target.ok("run", "--rm", ...patient, "--log-opt=fluentd-async=true", "busybox", "true");
  });
});

describe("log drivers", () => {
  test("are refused in Docker's words", async () => {
    const refused = async (...flags: string[]) =>
      (await target.docker(["create", ...flags, "busybox"])).stderr.trim();
    assert.equal(
      await refused("--log-driver=nope"),
      'Error response from daemon: error looking up logging plugin nope: plugin "nope" not found',
    );
    assert.equal(
      await refused("--log-driver=syslog", "--log-opt=nope=1"),
      "Error response from daemon: unknown log opt 'nope' for syslog log driver",
    );
    assert.equal(
      await refused("--log-driver=gelf"),
      "Error response from daemon: gelf-address is a required parameter",
    );
  });

  test("that keep nothing have nothing to read", async () => {
    await target.ok("run", "--name", "silent", "--log-driver=none", "busybox", "echo", "x");
    const { stderr } = await target.docker(["logs", "silent"]);
    assert.match(stderr, /configured logging driver does not support reading/);
  });

  test("a size that is none is told at the start", async () => {
    const id = await target.ok("create", "--log-opt=max-size=nope", "busybox", "true");
    const { stderr } = await target.docker(["start", id]);
    assert.match(stderr, /failed to initialize logging driver: invalid size: 'nope'/);
  });

  test("are in info", async () => {
    const names = (await target.ok("info", "-f", '{{join .Plugins.Log " "}}')).trim().split(" ");
    for (const name of ["fluentd", "gelf", "journald", "json-file", "local", "syslog"])
      assert.ok(names.includes(name), name);
    if (!againstDockerd) assert.equal(names.length, 6);
  });
});
