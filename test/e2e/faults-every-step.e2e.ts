import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createReadStream, existsSync, readdirSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, describe } from "node:test";
import { eventually } from "@hawser/base/testing";
import { engineSteps } from "@hawser/engine";
import { type FakeRegistry, openFakeRegistry } from "@hawser/registry/testing";
import { root } from "../../tools/tree.ts";
import type { TestEngine } from "./kit-engine.ts";
import { ask } from "./kit-http.ts";
import { wordOf } from "./kit-idle.ts";
import { findMounts } from "./kit-proc.ts";
import { busyboxLayer, layerOf, publishImage } from "./kit-registry.ts";
import { type Act, isOfBuilds, must, rich, stateOf, status, testSteps } from "./kit-steps.ts";
import { againstDockerd, useTarget } from "./kit-target.ts";

const hello = join(root, "build/images/hello-world.tar");
const sleeper = { Image: "busybox", Cmd: ["sleep", "1000"], StopSignal: "SIGKILL" };

async function load(engine: TestEngine): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const asked = request({ socketPath: engine.socket, path: "/images/load", method: "POST" }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    response.on("end", () => resolve(text.includes("Loaded image") ? 200 : 0));
    response.on("error", () => resolve(0));
  });
  asked.on("error", () => resolve(0));
  createReadStream(hello).pipe(asked);
  return await promise;
}

let opened: FakeRegistry | undefined;
/** The registry of pulls and pushes. */
function remote(): FakeRegistry {
  return opened ?? assert.fail("no registry is open");
}

async function publish(): Promise<void> {
  const plainLayers = [await busyboxLayer(), await layerOf({ pulled: "yes" })];
  publishImage(remote(), { repository: "team/app", tag: "v1", plainLayers });
}

/** What a request that streams its progress ends with. */
async function transfer(engine: TestEngine, what: string): Promise<number> {
  try {
    const headers = { "X-Registry-Auth": Buffer.from("{}").toString("base64") };
    const { status, text } = await ask(engine.socket, what, { headers });
    return status === 200 && !text.includes('"error"') ? 200 : 0;
  } catch {
    return 0;
  }
}
const pull = (engine: TestEngine) =>
  transfer(engine, `POST /images/create?fromImage=${remote().address}/team/app&tag=v1`);
const push = (engine: TestEngine) =>
  transfer(engine, `POST /images/${remote().address}/team/made/push?tag=v1`);

/** A volume that stands for a file system, and a container with it. */
const memory = { Name: "memory", DriverOpts: { type: "tmpfs", device: "tmpfs" } };
const withMemory = { ...sleeper, HostConfig: { Binds: ["memory:/m"] } };

async function checkUnmounted(engine: TestEngine, end: string): Promise<void> {
  const volumes = join(engine.dataRoot, "volumes");
  assert.deepEqual(findMounts(volumes), [join(volumes, "memory/_data")]);
  await must(engine, end);
  await eventually(() => findMounts(volumes).length === 0, { what: "it is unmounted" });
  await must(engine, "DELETE /containers/made?force=1", undefined, [404]);
  await must(engine, "DELETE /volumes/memory");
}

const bridge = `st${randomBytes(4).toString("hex")}`;
const network = { Name: bridge, Options: { "com.docker.network.bridge.name": bridge } };
const hasLink = (name: string) => existsSync(`/sys/class/net/${name}`);
const linksOn = (name: string) => readdirSync(`/sys/class/net/${name}/brif`).length;

const make = async (engine: TestEngine) =>
  void (await must(engine, "POST /containers/create?name=made", rich));
const run = async (engine: TestEngine) => {
  await make(engine);
  await must(engine, "POST /containers/made/start");
};
const commit = "POST /commit?container=written&repo=kept&tag=1";
const write = async (engine: TestEngine) => {
  const Cmd = ["sh", "-c", "mkdir /new && echo new >/new/file"];
  await must(engine, "POST /containers/create?name=written", { ...sleeper, Cmd });
  await must(engine, "POST /containers/written/start");
  await must(engine, "POST /containers/written/wait");
};
const writeAndCommit = async (engine: TestEngine) => {
  await write(engine);
  await must(engine, commit);
  await must(engine, "DELETE /containers/written");
};
/** What a kept image says when a container of it runs. */
async function checkKept(engine: TestEngine): Promise<void> {
  await must(engine, "POST /containers/create?name=reader", {
    Image: "kept:1",
    Cmd: ["grep", "-q", "new", "/new/file"],
  });
  await must(engine, "POST /containers/reader/start");
  assert.equal(wordOf((await stateOf(engine, "reader"))?.["Error"]), "");
  assert.deepEqual(await must(engine, "POST /containers/reader/wait"), { StatusCode: 0 });
  await must(engine, "DELETE /containers/reader");
}

const isThere = async (engine: TestEngine, path: string) => (await status(engine, `GET ${path}`)) === 200;

const acts: Readonly<Record<string, Act>> = {
  create: {
    steps: [
      "volume.made",
      "volume.recorded",
      "snapshot.made",
      "snapshot.recorded",
      "create.prepared",
      "create.filled",
      "create.recorded",
    ],
    ask: (engine) => status(engine, "POST /containers/create?name=made", rich),
    async check(engine, { acknowledged }) {
      if (acknowledged) assert.ok(await isThere(engine, "/containers/made/json"), "created, it is there");
      await must(engine, "POST /containers/create?name=made", rich, [409]);
      await must(engine, "POST /containers/made/start");
      assert.equal(wordOf((await stateOf(engine, "made"))?.["Status"]), "running");
    },
  },
  start: {
    steps: [
      "start.joined",
      "start.placed",
      "start.published",
      "start.bundled",
      "start.launched",
      "start.running",
      "start.recorded",
    ],
    prepare: make,
    ask: (engine) => status(engine, "POST /containers/made/start"),
    async check(engine, { acknowledged }) {
      if (acknowledged) assert.equal(wordOf((await stateOf(engine, "made"))?.["Status"]), "running");
      await must(engine, "POST /containers/made/start", undefined, [304]);
      assert.equal(wordOf((await stateOf(engine, "made"))?.["Status"]), "running");
    },
  },
  stop: {
    steps: ["stop.asked", "exit.told", "exit.recorded", "exit.released"],
    prepare: run,
    ask: (engine) => status(engine, "POST /containers/made/stop?t=0"),
    async check(engine) {
      await must(engine, "POST /containers/made/stop?t=0", undefined, [304]);
      const state = await stateOf(engine, "made");
      assert.deepEqual([state?.["Status"], state?.["ExitCode"]], ["exited", 137]);
    },
  },
  remove: {
    steps: [
      "exit.told",
      "exit.recorded",
      "remove.ended",
      "remove.forgotten",
      "volume.moved",
      "volume.forgotten",
      "remove.run-gone",
      "snapshot.forgotten",
      "snapshot.discarded",
      "remove.swept",
    ],
    prepare: run,
    ask: (engine) => status(engine, "DELETE /containers/made?force=1&v=1"),
    async check(engine, { acknowledged }) {
      if (acknowledged) assert.ok(!(await isThere(engine, "/containers/made/json")), "removed, it is gone");
      await must(engine, "DELETE /containers/made?force=1&v=1", undefined, [404]);
    },
  },
  load: {
    steps: ["load.staged", "layer.placed", "layer.recorded", "load.unpacked", "load.kept", "load.recorded"],
    ask: load,
    async check(engine, { acknowledged }) {
      if (acknowledged) assert.ok(await isThere(engine, "/images/hello-world/json"), "loaded, it is there");
      assert.equal(await load(engine), 200);
      await must(engine, "POST /containers/create?name=hello", { Image: "hello-world" });
      await must(engine, "POST /containers/hello/start");
      assert.deepEqual(await must(engine, "POST /containers/hello/wait"), { StatusCode: 0 });
    },
  },
  pull: {
    steps: ["pull.begun", "layer.placed", "layer.recorded", "pull.unpacked", "pull.kept", "pull.recorded"],
    prepare: publish,
    ask: pull,
    async check(engine, { acknowledged }) {
      const there = `/images/${remote().address}/team/app:v1/json`;
      if (acknowledged) assert.ok(await isThere(engine, there), "pulled, it is there");
      assert.equal(await pull(engine), 200);
      const Image = `${remote().address}/team/app:v1`;
      await must(engine, "POST /containers/create?name=reader", { Image, Cmd: ["grep", "yes", "/pulled"] });
      await must(engine, "POST /containers/reader/start");
      assert.deepEqual(await must(engine, "POST /containers/reader/wait"), { StatusCode: 0 });
    },
  },
  push: {
    steps: ["push.sent", "push.named"],
    async prepare(engine) {
      await publish();
      assert.equal(await pull(engine), 200);
      await must(
        engine,
        `POST /images/${remote().address}/team/app:v1/tag?repo=${remote().address}/team/made&tag=v1`,
      );
      remote().blobs.clear();
      remote().manifests.clear();
    },
    ask: push,
    async check(engine, { acknowledged }) {
      const isNamed = () => remote().manifests.has("team/made:v1");
      if (acknowledged) assert.ok(isNamed(), "pushed, it is there");
      assert.equal(await push(engine), 200);
      assert.ok(isNamed());
    },
  },
  commit: {
    steps: [
      "commit.staged",
      "layer.placed",
      "layer.recorded",
      "commit.unpacked",
      "commit.kept",
      "commit.recorded",
    ],
    prepare: write,
    ask: (engine) => status(engine, commit),
    async check(engine, { acknowledged }) {
      if (acknowledged) await checkKept(engine);
      await must(engine, commit);
      await checkKept(engine);
    },
  },
  tag: {
    steps: ["tag.recorded"],
    ask: (engine) => status(engine, "POST /images/busybox/tag?repo=other&tag=1"),
    async check(engine) {
      await must(engine, "POST /images/busybox/tag?repo=other&tag=1");
      assert.ok(await isThere(engine, "/images/other:1/json"));
    },
  },
  "remove an image": {
    steps: ["rmi.unnamed", "layer.forgotten", "layer.discarded", "blob.removed", "blob.removed:2"],
    prepare: writeAndCommit,
    ask: (engine) => status(engine, "DELETE /images/kept:1"),
    async check(engine) {
      await must(engine, "DELETE /images/kept:1", undefined, [404]);
      assert.ok(!(await isThere(engine, "/images/kept:1/json")));
    },
  },
  "prune containers": {
    steps: ["remove.forgotten:2"],
    async prepare(engine) {
      for (const name of ["one", "two"]) await must(engine, `POST /containers/create?name=${name}`, sleeper);
    },
    ask: (engine) => status(engine, "POST /containers/prune"),
    async check(engine) {
      await must(engine, "POST /containers/prune");
      for (const name of ["one", "two"]) assert.ok(!(await isThere(engine, `/containers/${name}/json`)));
    },
  },
  "prune images": {
    steps: ["rmi.unnamed"],
    prepare: writeAndCommit,
    ask: (engine) => status(engine, 'POST /images/prune?filters={"dangling":["false"],"label!":["none"]}'),
    async check(engine) {
      await must(engine, 'POST /images/prune?filters={"dangling":["false"],"label!":["none"]}');
      assert.ok(!(await isThere(engine, "/images/kept:1/json")));
      assert.ok(await isThere(engine, "/images/busybox/json"), "used by a container");
    },
  },
  "start with a file system": {
    steps: ["volume.mounted"],
    async prepare(engine) {
      await must(engine, "POST /volumes/create", memory);
      await must(engine, "POST /containers/create?name=made", withMemory);
    },
    ask: (engine) => status(engine, "POST /containers/made/start"),
    async check(engine) {
      assert.deepEqual(findMounts(join(engine.dataRoot, "volumes")), [], "nobody runs with it");
      await must(engine, "POST /containers/made/start");
      await checkUnmounted(engine, "DELETE /containers/made?force=1");
    },
  },
  "end with a file system": {
    steps: ["volume.unmounted"],
    async prepare(engine) {
      await must(engine, "POST /volumes/create", memory);
      await must(engine, "POST /containers/create?name=made", withMemory);
      await must(engine, "POST /containers/made/start");
    },
    ask: (engine) => status(engine, "POST /containers/made/stop?t=0"),
    async check(engine) {
      await must(engine, "POST /containers/made/start");
      await checkUnmounted(engine, "POST /containers/made/stop?t=0");
    },
  },
  "create a network": {
    steps: ["network.recorded", "network.made"],
    ask: (engine) => status(engine, "POST /networks/create", network),
    async check(engine, { acknowledged }) {
      const isMade = await isThere(engine, `/networks/${bridge}`);
      if (acknowledged) assert.ok(isMade, "created, it is there");
      assert.equal(hasLink(bridge), isMade, "no bridge without a network");
      await must(engine, "POST /networks/create", network, [409]);
      await must(engine, `DELETE /networks/${bridge}`);
      assert.ok(!hasLink(bridge));
    },
  },
  "remove a network": {
    steps: ["network.unmade", "network.forgotten"],
    prepare: async (engine) => void (await must(engine, "POST /networks/create", network)),
    ask: (engine) => status(engine, `DELETE /networks/${bridge}`),
    async check(engine, { acknowledged }) {
      const isLeft = await isThere(engine, `/networks/${bridge}`);
      if (acknowledged) assert.ok(!isLeft, "removed, it is gone");
      assert.equal(hasLink(bridge), isLeft, "no bridge without a network");
      await must(engine, `DELETE /networks/${bridge}`, undefined, [404]);
      assert.ok(!hasLink(bridge));
    },
  },
  "connect and disconnect": {
    steps: ["connect.plugged", "disconnect.recorded"],
    async prepare(engine) {
      await must(engine, "POST /networks/create", network);
      await run(engine);
    },
    async ask(engine) {
      const connected = await status(engine, `POST /networks/${bridge}/connect`, { Container: "made" });
      if (connected === 0) return 0;
      return await status(engine, `POST /networks/${bridge}/disconnect`, { Container: "made" });
    },
    async check(engine) {
      assert.equal(linksOn(bridge), 0, "no interface that nobody speaks of");
      await must(engine, `POST /networks/${bridge}/connect`, { Container: "made" });
      assert.equal(linksOn(bridge), 1);
      await must(engine, `POST /networks/${bridge}/disconnect`, { Container: "made" });
      assert.equal(linksOn(bridge), 0);
      await must(engine, `DELETE /networks/${bridge}`);
    },
  },
  "prune volumes": {
    steps: ["volume.moved:2"],
    async prepare(engine) {
      for (const Name of ["one", "two"]) await must(engine, "POST /volumes/create", { Name });
    },
    ask: (engine) => status(engine, 'POST /volumes/prune?filters={"all":["1"]}'),
    async check(engine) {
      await must(engine, 'POST /volumes/prune?filters={"all":["1"]}');
      for (const name of ["one", "two"]) assert.ok(!(await isThere(engine, `/volumes/${name}`)));
    },
  },
};

describe("the engine dies at a step", { skip: againstDockerd }, () => {
  // It starts over a hundred times, and the bundle in a seventh of the time.
  const target = useTarget();
  after(() => opened?.[Symbol.asyncDispose]());
  testSteps(acts, target, {
    steps: engineSteps.filter((step) => !isOfBuilds(step)),
    async prepare() {
      opened = await openFakeRegistry();
    },
  });
});
