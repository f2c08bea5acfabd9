import assert from "node:assert/strict";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import Docker from "dockerode";
import { extract, pack } from "tar-stream";
import { type Json, textOf, useTarget } from "../e2e/kit-target.ts";

let docker: Docker;
useTarget({
  async prepare(fresh) {
    docker = new Docker({ socketPath: fresh.socket() });
    await docker.ping();
  },
});

const sleeper = { Image: "busybox", Cmd: ["sleep", "1000"], StopSignal: "SIGKILL" };

async function archiveOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const archive = pack();
  for (const [name, text] of Object.entries(files)) archive.entry({ name }, text);
  archive.finalize();
  return await buffer(archive);
}

async function namesIn(archive: Readable): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of archive.pipe(extract())) {
    names.push(entry.header.name);
    entry.resume();
  }
  return names;
}

async function progressOf(stream: Readable): Promise<readonly Json[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly Json[]>();
  docker.modem.followProgress(stream, (error, said) => (error === null ? resolve(said) : reject(error)));
  return await promise;
}

describe("dockerode", () => {
  test("moves archives, tells changes, exports, commits", async () => {
    const container = await docker.createContainer(sleeper);
    await container.start();
    await container.putArchive(await archiveOf({ one: "1", two: "2" }), { path: "/tmp" });
    assert.deepEqual(await namesIn(await container.getArchive({ path: "/tmp" })), [
      "tmp/",
      "tmp/one",
      "tmp/two",
    ]);
    await container.infoArchive({ path: "/tmp/one" });
    assert.ok((await container.changes()).some((change) => textOf(change["Path"]) === "/tmp/one"));
    assert.ok((await namesIn(await container.export())).includes("tmp/two"));
    const { Id } = await container.commit({ repo: "kept", tag: "1", comment: "why" });
    assert.equal(textOf((await docker.getImage("kept:1").history())[0]?.["Comment"]), "why");
    const saved = await namesIn(await docker.getImage("kept:1").get());
    assert.ok(saved.includes("manifest.json"), saved.join(" "));
    await container.remove({ force: true });
    const removed = await docker.getImage("kept:1").remove();
    assert.ok(removed.some((item) => textOf(item["Deleted"]) === Id));
  });

  test("pauses, renames, updates, restarts, watches", async () => {
    const container = await docker.createContainer(sleeper);
    await container.start();
    await container.pause();
    assert.equal(textOf((await container.inspect())["State"]?.["Status"]), "paused");
    await container.unpause();
    await container.rename({ name: "other" });
    await container.update({ Memory: 64 << 20, MemorySwap: 128 << 20 });
    await container.restart({ t: 0 });
    const told = await container.inspect();
    assert.equal(textOf(told["Name"]), "/other");
    assert.equal(textOf(told["HostConfig"]?.["Memory"]), String(64 << 20));
    assert.ok(textOf((await container.top())["Processes"]?.[0]).includes("sleep 1000"));
    const stats = await container.stats({ stream: true });
    let samples = "";
    stats.on("data", (chunk: Buffer) => {
      samples += chunk.toString();
    });
    await eventually(() => samples.split("\n").length > 2);
    stats.destroy();
    await container.remove({ force: true });
  });

  test("builds, and says what goes wrong", async () => {
    const context = await archiveOf({
      Dockerfile: "FROM busybox\nCOPY a /a\nRUN cat /a > /b\n",
      a: "copied",
    });
    const said = await progressOf(await docker.buildImage(context, { t: "built:1" }));
    assert.match(textOf(said.at(-1)?.["stream"]), /Successfully tagged built:1/);
    await docker.getImage("built:1").remove();
    const wrong = await archiveOf({ Dockerfile: "FROM busybox\nRUN exit 3\n" });
    const failed = await progressOf(await docker.buildImage(wrong, { t: "built:2" }));
    assert.match(textOf(failed.at(-1)?.["error"]), /returned a non-zero code: 3/);
  });

  test("makes volumes and networks, and prunes", async () => {
    const volume = await docker.createVolume({ Name: "held", Labels: { a: "b" } });
    assert.equal(textOf((await volume.inspect())["Driver"]), "local");
    const listed = await docker.listVolumes({ filters: { label: ["a=b"] } });
    assert.deepEqual(
      listed.Volumes.map((one) => textOf(one["Name"])),
      ["held"],
    );
    const network = await docker.createNetwork({
      Name: "joined",
      IPAM: { Config: [{ Subnet: "10.97.5.0/24" }] },
    });
    const container = await docker.createContainer({ ...sleeper, HostConfig: { Binds: ["held:/v"] } });
    await container.start();
    await network.connect({
      Container: container.id,
      EndpointConfig: { IPAMConfig: { IPv4Address: "10.97.5.7" } },
    });
    const members = (await network.inspect())["Containers"];
    assert.equal(textOf(members?.[container.id]?.["IPv4Address"]), "10.97.5.7/24");
    await assert.rejects(volume.remove(), { statusCode: 409 });
    await assert.rejects(network.remove(), { statusCode: 403 });
    await network.disconnect({ Container: container.id });
    await container.stop({ t: 0 });
    assert.deepEqual(textOf((await docker.pruneContainers())["ContainersDeleted"]), container.id);
    assert.equal(textOf((await docker.pruneNetworks())["NetworksDeleted"]), "joined");
    assert.equal(textOf((await docker.pruneVolumes({ filters: { all: ["1"] } }))["VolumesDeleted"]), "held");
    await docker.pruneImages();
    assert.equal((await docker.listNetworks({ filters: { type: ["custom"] } })).length, 0);
    assert.notEqual(textOf((await docker.df())["LayersSize"]), "undefined");
  });
});
