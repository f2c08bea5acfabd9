import assert from "node:assert/strict";
import { join } from "node:path";
import { PassThrough, type Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import Docker from "dockerode";
import { root } from "../../tools/tree.ts";
import { textOf, useTarget } from "../e2e/kit-target.ts";

let docker: Docker;
useTarget({
  async prepare(fresh) {
    docker = new Docker({ socketPath: fresh.socket() });
    await docker.ping();
  },
});

/** Both streams of a multiplexed one, whole. */
async function demultiplex(stream: Readable): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, stdout, stderr);
  stream.on("end", () => {
    stdout.end();
    stderr.end();
  });
  const [out, err] = await Promise.all([text(stdout), text(stderr)]);
  return { stdout: out, stderr: err };
}

describe("dockerode", () => {
  test("finds the engine", async () => {
    assert.equal((await docker.ping()).toString(), "OK");
    assert.equal(textOf((await docker.version())["Os"]), "linux");
    assert.equal(textOf((await docker.info())["OSType"]), "linux");
  });

  test("creates, attaches, starts, waits and removes", async () => {
    const container = await docker.createContainer({
      Image: "busybox",
      Cmd: ["sh", "-c", "echo out; echo err >&2; exit 3"],
    });
    const stream = await container.attach({ stream: true, stdout: true, stderr: true });
    const streams = demultiplex(stream);
    await container.start();
    assert.equal((await container.wait()).StatusCode, 3);
    assert.deepEqual(await streams, { stdout: "out\n", stderr: "err\n" });
    assert.equal(textOf((await container.inspect())["State"]?.["ExitCode"]), "3");
    await container.remove();
    await assert.rejects(container.inspect(), /no such container/i);
  });

  test("runs in one call", async () => {
    const output = new PassThrough();
    const told = text(output);
    const [result, container] = await docker.run("busybox", ["echo", "ran"], output, {
      HostConfig: { AutoRemove: false },
    });
    output.end();
    assert.equal(result.StatusCode, 0);
    assert.match(await told, /ran\r?\n/);
    await container.remove();
  });

  test("gives input over a hijacked connection, and ends it", async () => {
    const container = await docker.createContainer({
      Image: "busybox",
      Cmd: ["sh", "-c", "cat; echo after"],
      OpenStdin: true,
      StdinOnce: true,
    });
    const stream = await container.attach({
      stream: true,
      hijack: true,
      stdin: true,
      stdout: true,
      stderr: true,
    });
    const streams = demultiplex(stream);
    await container.start();
    stream.write("one\n");
    stream.end("two\n");
    assert.equal((await streams).stdout, "one\ntwo\nafter\n");
    await container.remove({ force: true });
  });

  test("executes, follows logs and stops", async () => {
    const container = await docker.createContainer({
      Image: "busybox",
      Cmd: ["sh", "-c", 'trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.02; done'],
    });
    await container.start();
    const logs = demultiplex(await container.logs({ follow: true, stdout: true, stderr: true }));
    const exec = await container.exec({
      Cmd: ["sh", "-c", "cat; exit 4"],
      AttachStdin: true,
      AttachStdout: true,
    });
    const stream = await exec.start({ hijack: true, stdin: true });
    const told = demultiplex(stream);
    stream.end("through exec\n");
    assert.equal((await told).stdout, "through exec\n");
    await eventually(async () => textOf((await exec.inspect())["ExitCode"]) === "4");
    await container.stop();
    assert.equal((await logs).stdout, "up\nbye\n");
    await container.remove();
  });

  test("uses a terminal", async () => {
    const container = await docker.createContainer({
      Image: "busybox",
      Cmd: ["sh"],
      Tty: true,
      OpenStdin: true,
    });
    const stream = await container.attach({ stream: true, hijack: true, stdin: true, stdout: true });
    let screen = "";
    stream.on("data", (chunk: Buffer) => {
      screen += chunk.toString();
    });
    await container.start();
    await container.resize({ h: 33, w: 99 });
    stream.write("stty size; exit\n");
    await container.wait();
    await eventually(() => screen.includes("33 99\r\n"));
    await container.remove();
  });

  test("lists with filters", async () => {
    const container = await docker.createContainer({ Image: "busybox", name: "listed", Labels: { a: "b" } });
    const found = await docker.listContainers({ all: true, filters: { label: ["a=b"] } });
    assert.deepEqual(
      found.map((one) => textOf(one["Names"])),
      ["/listed"],
    );
    assert.deepEqual(await docker.listContainers({ filters: { name: ["listed"] } }), []);
    await container.remove();
  });

  test("loads, tags, lists and removes images", async () => {
    assert.match(
      await text(await docker.loadImage(join(root, "build/images/hello-world.tar"))),
      /Loaded image: hello-world:latest/,
    );
    const image = docker.getImage("hello-world");
    await image.tag({ repo: "other", tag: "1" });
    const listed = await docker.listImages({ filters: { reference: ["other"] } });
    assert.deepEqual(
      listed.map((one) => textOf(one["Id"])),
      [textOf((await image.inspect())["Id"])],
    );
    await image.remove();
    const removed = await docker.getImage("other:1").remove();
    assert.ok(removed.some((one) => textOf(one["Deleted"]).startsWith("sha256:")));
  });

  test("hears events", async () => {
    const events = await docker.getEvents({ filters: { type: ["container"] } });
    let heard = "";
    events.on("data", (chunk: Buffer) => {
      heard += chunk.toString();
    });
    const container = await docker.createContainer({ Image: "busybox", Cmd: ["true"] });
    await container.remove();
    await eventually(() => /"Action":"create"[^]*"Action":"destroy"/.test(heard));
    events.destroy();
  });
});
