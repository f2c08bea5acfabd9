import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdir, statfs, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { eventually, openTempDir } from "@hawser/base/testing";
import { type FakeRegistry, openFakeRegistry } from "@hawser/registry/testing";
import { openFiles } from "./kit-buildkit.ts";
import { hawserCli } from "./kit-cli.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { openRaw } from "./kit-http.ts";
import { runCommandOk } from "./kit-process.ts";
import { busyboxLayer, publishImage } from "./kit-registry.ts";
import { againstDockerd } from "./kit-target.ts";

const buildTimeoutMs = 200_000;

async function nothingLeft(engine: TestEngine): Promise<void> {
  const idle = { deadlineMs: 60_000 };
  await eventually(async () => (await engine.docker(["ps", "-aq"])).stdout === "", {
    ...idle,
    what: "no container of a build is there",
  });
  for (const name of ["builds/context", "builds/run", "content/ingest", "layers/ingest"]) {
    const left = () => readdir(join(engine.dataRoot, name)).catch(() => []);
    await eventually(async () => (await left()).length === 0, { ...idle, what: `${name} is empty` });
  }
}

describe("an engine that is killed", { skip: againstDockerd }, () => {
  let engine: TestEngine;
  let registry: FakeRegistry;
  const resources = new AsyncDisposableStack();
  before(async () => {
    engine = resources.use(await openEngine());
    registry = resources.use(await openFakeRegistry());
    publishImage(registry, { repository: "base", tag: "1", plainLayers: [await busyboxLayer()] });
  });
  after(() => resources.disposeAsync());

  /** Kill the engine in the middle of a build, and see that the next one has nothing of it and does it. */
  const killWhile = async (
    begin: () => Promise<{ readonly ended: Promise<unknown> }>,
    {
      isThere,
      again,
    }: { readonly isThere: () => boolean | Promise<boolean>; readonly again: readonly string[] },
  ) => {
    const { ended } = await begin();
    await eventually(isThere, { deadlineMs: 60_000, what: "the build is where it is to die" });
    await engine.kill();
    await ended;
    registry.intercept = undefined;
    await engine.start();
    await nothingLeft(engine);
    const { exitCode, stderr } = await engine.hawser(["build", ...again], { timeoutMs: buildTimeoutMs });
    assert.equal(exitCode, 0, stderr);
    await nothingLeft(engine);
  };
  const begin = async (args: readonly string[]) => ({
    ended: engine.hawser(["build", ...args], { timeoutMs: buildTimeoutMs }),
  });

  test("while it gets what a build begins with builds the same afterwards", async () => {
    await using dir = await openFiles({ Dockerfile: `FROM ${registry.address}/base:1\nRUN true\n` });
    let isHeld = false;
    registry.intercept = ({ url = "" }) => {
      if (!url.includes("/blobs/")) return false;
      isHeld = true;
      return true; // and never answers
    };
    await killWhile(() => begin([dir.path]), { isThere: () => isHeld, again: [dir.path] });
  });

  test("while an address answers builds the same afterwards", async () => {
    let isHeld = false;
    const server = createServer((_, response) => {
      if (isHeld) return void response.end("whole");
      isHeld = true;
      response.writeHead(200, { "content-length": 1000 });
      response.write("a part");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const { port } = server.address() as AddressInfo;
      const lines = [
        `FROM ${registry.address}/base:1`,
        `ADD http://127.0.0.1:${port}/file /`,
        "RUN cat /file",
      ];
      await using dir = await openFiles({ Dockerfile: `${lines.join("\n")}\n` });
      await killWhile(() => begin([dir.path]), { isThere: () => isHeld, again: [dir.path] });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test("while a context comes builds the same afterwards", async () => {
    await using dir = await openFiles({ Dockerfile: `FROM ${registry.address}/base:1\nCOPY . /all\n` });
    const head =
      "POST /build HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\nContent-Length: 100000\r\n\r\n";
    const client = openRaw(engine.socket, head);
    client.socket.write(Buffer.alloc(10));
    const contexts = () => readdir(join(engine.dataRoot, "builds/context")).catch(() => []);
    await killWhile(async () => ({ ended: Promise.resolve() }), {
      isThere: async () => (await contexts()).length > 0,
      again: [dir.path],
    });
    client.socket.destroy();
  });

  test("while it gives the result away builds the same afterwards", async () => {
    await using dir = await openFiles({
      Dockerfile: `FROM ${registry.address}/base:1\nRUN echo pushed > /pushed\n`,
    });
    let isHeld = false;
    registry.intercept = ({ method, url = "" }) => {
      if (method === "GET" || method === "HEAD" || !url.includes("/result/")) return false;
      isHeld = true;
      return true;
    };
    const args = ["--push", "-t", `${registry.address}/result:1`, dir.path];
    await killWhile(() => begin(args), { isThere: () => isHeld, again: args });
    assert.ok(registry.manifests.has("result:1"));
  });

  test("while a client gets the result: the client knows that it has not all of it", async () => {
    await using dir = await openFiles({ Dockerfile: "FROM scratch\nCOPY big /\n" });
    await writeFile(join(dir.path, "big"), randomBytes(32 << 20));
    const flags = ["--host", `unix://${engine.socket}`, "build", "-o", "type=tar,dest=-", dir.path];
    const [node, ...cli] = [...hawserCli(), ...flags];
    // It reads on only when the engine is gone: until then pipes and sockets hold what is between them, not all of it.
    const client = spawn(node ?? "", cli, { stdio: ["ignore", "pipe", "pipe"] });
    const ended = once(client, "close");
    await once(client.stdout, "readable");
    await engine.kill();
    const [written, said] = await Promise.all([buffer(client.stdout), text(client.stderr)]);
    assert.ok(written.length < 32 << 20, "all of it came");
    assert.notEqual((await ended)[0], 0);
    assert.match(said, /\S/);
    await engine.start();
    await nothingLeft(engine);
    await using out = await openTempDir();
    const archive = join(out.path, "files.tar");
    const again = await engine.hawser(["build", "-o", `type=tar,dest=${archive}`, dir.path]);
    assert.equal(again.exitCode, 0, again.stderr);
    await runCommandOk(["tar", "-xf", archive, "-C", out.path]);
    await runCommandOk(["cmp", join(out.path, "big"), join(dir.path, "big")]);
  });
});

describe("a process of a build", { skip: againstDockerd }, () => {
  test("takes what it has left running with it", async () => {
    await using engine = await openEngine();
    await using dir = await openFiles({
      Dockerfile:
        "FROM busybox\nRUN (while :; do sleep 1; done) & setsid sleep 3600 & nohup sleep 3600 >/dev/null & echo begun > /begun\nRUN cat /begun\n",
    });
    const { exitCode, stderr } = await engine.hawser(["build", "--progress", "plain", dir.path], {
      timeoutMs: buildTimeoutMs,
    });
    assert.equal(exitCode, 0, stderr);
    assert.match(stderr, /\d begun\n/);
    await nothingLeft(engine);
    assert.deepEqual(engine.monitors(), []);
  });
});

describe("a disk that gets full while something is built", { skip: againstDockerd }, () => {
  test("fails the build with its reason, in a process and when an image is made of the result; then there is room again", async () => {
    await using resources = new AsyncDisposableStack();
    const dataRoot = resources.use(await openTempDir("hawser-e2e-full-")).path;
    await runCommandOk(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", dataRoot]);
    resources.defer(async () => void (await runCommandOk(["umount", "-l", dataRoot])));
    const engine = resources.use(await openEngine({ flags: ["--data-root", dataRoot] }));
    const build = async (lines: string) => {
      await using dir = await openFiles({ Dockerfile: `FROM busybox\n${lines}\n` });
      return await engine.hawser(["build", "--progress", "plain", dir.path], { timeoutMs: buildTimeoutMs });
    };
    const free = async () => {
      const { bavail, bsize } = await statfs(dataRoot);
      return bavail * bsize;
    };
    const first = await build("RUN echo first > /first");
    assert.equal(first.exitCode, 0, first.stderr);
    const before = await free();
    // There is no room for a log of it either.
    const inProcess = await build(
      "RUN dd if=/dev/urandom of=/big bs=1M count=100 || { echo last word; exit 3; }",
    );
    assert.equal(inProcess.exitCode, 1);
    assert.match(inProcess.stderr, /\d dd: .*No space left on device\n[^]*\d last word\n[^]*exit code: 3/);
    const roomAgain = async () =>
      await eventually(async () => before - (await free()) < 2 << 20, {
        deadlineMs: 30_000,
        what: "nothing of what failed takes room",
      });
    await roomAgain();
    const last = await build("RUN echo first > /first\nRUN echo last > /last");
    assert.equal(last.exitCode, 0, last.stderr);
    assert.match(last.stderr, /echo first > \/first\n#\d+ CACHED/);
    // There is room for what the process writes, but not for that and its archive.
    const sizeBytes = Math.floor(before * 0.7);
    const run = `RUN head -c ${sizeBytes} /dev/urandom > /big`;
    const made = await build(run);
    assert.equal(made.exitCode, 1, "the archive finds no room");
    assert.match(made.stderr, /exporting to image\n#\d+ ERROR: .*no space left/);
    const again = await build(run);
    assert.match(again.stderr, /\[2\/2\] RUN head.*\n#\d+ CACHED[^]*no space left/);
    assert.equal((await engine.docker(["builder", "prune", "-af"])).exitCode, 0);
    await roomAgain();
  });
});

describe("a context that changes while it is read", { skip: againstDockerd }, () => {
  test("is not taken for what it was or will be: the next build has what is there then", async () => {
    await using engine = await openEngine();
    await using dir = await openFiles({ Dockerfile: "FROM busybox\nCOPY file /file\n" });
    const file = join(dir.path, "file");
    const sizeBytes = 4 << 20;
    const build = (...args: string[]) =>
      engine.hawser(["build", ...args, dir.path], { timeoutMs: buildTimeoutMs });
    await writeFile(file, Buffer.alloc(sizeBytes, "a"));
    let isOver = false;
    const changing = (async () => {
      for (let turn = 0; !isOver; turn++) {
        await writeFile(
          file,
          Buffer.alloc(turn % 2 === 0 ? sizeBytes : sizeBytes / 2, turn % 2 === 0 ? "b" : "c"),
        );
      }
    })();
    for (let turn = 0; turn < 3; turn++) {
      const { exitCode, stderr } = await build();
      // It may be refused, with a reason; it may not stop the engine.
      if (exitCode !== 0) assert.match(stderr, /file.*(changed|size|shrunk|shorter|ended)|archive/is);
    }
    isOver = true;
    await changing;
    await writeFile(file, Buffer.alloc(sizeBytes, "z"));
    const last = await build("-t", "last");
    assert.equal(last.exitCode, 0, last.stderr);
    const { stdout } = await engine.docker([
      "run",
      "--rm",
      "last",
      "sh",
      "-c",
      "tr -d z < /file | wc -c; wc -c < /file",
    ]);
    assert.equal(stdout, `0\n${sizeBytes}\n`);
    await nothingLeft(engine);
  });
});
