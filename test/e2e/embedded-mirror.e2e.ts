import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { openFakeRegistry } from "@hawser/registry/testing";
import { ask } from "../conformance/distribution/kit-registry.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { runCommandOk } from "./kit-process.ts";
import { layerOf, publishImage } from "./kit-registry.ts";
import { againstDockerd } from "./kit-target.ts";

const askOk = async (engine: TestEngine, ...args: string[]) => {
  const { exitCode, stdout, stderr } = await engine.docker(args);
  assert.equal(exitCode, 0, `${args.join(" ")}\n${stdout}\n${stderr}\n${engine.log()}`);
  return stdout.trim();
};

/** Where the mirror of an engine that was told an address answers, after its so manieth start. */
const mirrorOf = async (engine: TestEngine, { starts = 1 } = {}) => {
  const url = () => [...engine.log().matchAll(/mirror listens.* url=(\S+)/g)][starts - 1]?.[1];
  await eventually(() => url() !== undefined, { what: "the mirror listens" });
  return url() ?? assert.fail();
};

describe("the engine's mirror", { skip: againstDockerd }, () => {
  test("has the built-in images, which other clients pull from it, and takes no pushes", async () => {
    await using engine = await openEngine({ flags: ["--mirror-address", "127.0.0.1:0"] });
    const ok = (...args: string[]) => askOk(engine, ...args);
    const url = await mirrorOf(engine);
    const { host } = new URL(url);
    assert.match(await ok("run", "--rm", "hello-world"), /Hello/);
    const busybox = "hawser.builtin/busybox";
    await runCommandOk([
      "skopeo",
      "copy",
      "--src-tls-verify=false",
      `docker://${host}/${busybox}`,
      `dir:${engine.dataRoot}/copy`,
    ]);
    await ok("pull", `${host}/${busybox}`);
    await ok("pull", "busybox");
    const idOf = (name: string) => ok("inspect", "-f", "{{.Id}}", name);
    assert.equal(await idOf(`${host}/${busybox}`), await idOf("busybox"));
    for (const [method, path] of [
      ["POST", `/v2/${busybox}/blobs/uploads/`],
      ["POST", "/v2/team/app/blobs/uploads/"],
      ["DELETE", `/v2/${busybox}/manifests/latest`],
    ] as const) {
      assert.match(String((await ask(url, method, path)).status), /^40[135]$/, `${method} ${path}`);
    }
    for (const name of ["..%2f..%2fetc/manifests/latest", `${busybox}%2f..%2fx/manifests/latest`]) {
      assert.equal((await ask(url, "GET", `/v2/hawser.builtin/${name}`)).status, 400, name);
    }
  });

  test("keeps copies of a registry: for this engine and others, without it, and after a kill", async () => {
    await using upstream = await openFakeRegistry();
    const published = publishImage(upstream, {
      repository: "team/app",
      tag: "v1",
      plainLayers: [await layerOf({ word: "kept" })],
    });
    const name = `${upstream.address}/team/app:v1`;
    const flags = ["--mirrored-registry", upstream.address, "--mirror-address", "127.0.0.1:0"];
    await using engine = await openEngine({ flags });
    const ok = (...args: string[]) => askOk(engine, ...args);
    assert.match(await ok("pull", name), /Downloaded newer image/);
    assert.equal(await ok("inspect", "-f", "{{.Id}}", name), published.imageId);
    assert.match(await ok("inspect", "-f", "{{.RepoDigests}}", name), /team\/app@sha256:/);
    await ok("rmi", name);
    upstream.intercept = (_request, response) => {
      response.writeHead(503).end();
      return true;
    };
    await engine.kill();
    await engine.start();
    await ok("pull", name);
    assert.equal(await ok("inspect", "-f", "{{.Id}}", name), published.imageId);
    await using other = await openEngine();
    const { host } = new URL(await mirrorOf(engine, { starts: 2 }));
    const there = `${host}/${upstream.address.replace(":", "_")}/team/app:v1`;
    await askOk(other, "pull", there);
    assert.equal(await askOk(other, "inspect", "-f", "{{.Id}}", there), published.imageId);
  });

  test("has nothing that takes a login: who has one pulls past it", async () => {
    const login = { kind: "basic", username: "ann", password: "secret" } as const;
    await using upstream = await openFakeRegistry({ login });
    publishImage(upstream, {
      repository: "team/secret",
      tag: "v1",
      plainLayers: [await layerOf({ word: "secret" })],
    });
    const flags = ["--mirrored-registry", upstream.address, "--mirror-address", "127.0.0.1:0"];
    await using engine = await openEngine({ flags });
    const ok = (...args: string[]) => askOk(engine, ...args);
    const name = `${upstream.address}/team/secret:v1`;
    assert.notEqual((await engine.docker(["pull", name])).exitCode, 0);
    await ok("login", "-u", login.username, "-p", login.password, upstream.address);
    await ok("pull", name);
    const path = `/v2/${upstream.address.replace(":", "_")}/team/secret/manifests/v1`;
    assert.equal((await ask(await mirrorOf(engine), "GET", path)).status, 403);
  });
});
