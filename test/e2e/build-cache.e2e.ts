import assert from "node:assert/strict";
import { chmod, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { openTestRegistry, type TestRegistry } from "../conformance/distribution/kit-registry.ts";
import { type BuildkitClient, openBuildkitClient, openFiles, pluginSuites } from "./kit-buildkit.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { againstDockerd } from "./kit-target.ts";

/** What a step makes differs each time that it runs. @param word of a test's own */
const sources = (word: string) => ({
  Dockerfile: `FROM busybox AS made
COPY word /word
RUN head -c 20 /dev/urandom | od -An -tx1 > /noise
RUN cat /word /noise > /both
FROM busybox
RUN head -c 20 /dev/urandom | od -An -tx1 > /own # ${word}
COPY --from=made /both /both
`,
  word: `${word}\n`,
});
const steps = 5;

describe("a build cache, by hawser build", { skip: againstDockerd }, () => {
  let registry: TestRegistry;
  let first: TestEngine;
  let second: TestEngine;
  const resources = new AsyncDisposableStack();
  before(async () => {
    registry = resources.use(await openTestRegistry());
    first = resources.use(await openEngine());
    second = resources.use(await openEngine());
  });
  after(() => resources.disposeAsync());

  const ok = async (engine: TestEngine, ...args: readonly string[]) => {
    const { exitCode, stdout, stderr } = await engine.hawser(args);
    assert.equal(exitCode, 0, `${args.join(" ")}\n${stdout}${stderr}`);
    return `${stdout}${stderr}`;
  };
  const build = async (engine: TestEngine, ...args: readonly string[]) =>
    await ok(engine, "build", "--progress", "plain", "-t", "app", ...args);
  const shown = async (engine: TestEngine) => await ok(engine, "run", "--rm", "app", "cat", "/both", "/own");

  test("in a registry", async () => {
    await using dir = await openFiles(sources("hawser"));
    const ref = `${new URL(registry.url).host}/cache/hawser:1`;
    await build(first, "--cache-to", `type=registry,ref=${ref},mode=max`, dir.path);
    const output = await build(second, "--cache-from", ref, dir.path);
    assert.equal(output.match(/CACHED/g)?.length, steps, output);
    assert.equal(await shown(second), await shown(first));
  });

  test("in a folder, beside others", async () => {
    await using dir = await openFiles(sources("folder"));
    await using cache = await openTempDir();
    const dest = `type=local,dest=${cache.path},mode=max`;
    await build(first, "--cache-to", `${dest},tag=older`, dir.path);
    await build(first, "--cache-to", dest, dir.path);
    const index = JSON.parse(await readFile(join(cache.path, "index.json"), "utf8")) as {
      manifests: unknown[];
    };
    assert.equal(index.manifests.length, 2);
    const output = await build(second, "--cache-from", `type=local,src=${cache.path},tag=older`, dir.path);
    assert.equal(output.match(/CACHED/g)?.length, steps, output);
    assert.equal(await shown(second), await shown(first));
    const none = await build(second, "--cache-from", `type=local,src=${join(cache.path, "none")}`, dir.path);
    assert.match(none, /skipped: it has no cache of the tag latest/);
  });

  test("has what lies on a step that is done again here, and comes to the same", async () => {
    const noise = "head -c 20 /dev/urandom | od -An -tx1";
    await using dir = await openFiles({
      Dockerfile: `FROM busybox AS low\nRUN echo low > /low\nFROM low\nRUN ${noise} | tee /both > /own\n`,
    });
    await using cache = await openTempDir();
    await build(first, "--cache-to", `type=local,dest=${cache.path},mode=max`, dir.path);
    const from = ["--no-cache-filter", "low", "--cache-from", `type=local,src=${cache.path}`];
    const output = await build(second, ...from, dir.path);
    assert.equal(output.match(/CACHED/g)?.length, 1, output);
    assert.equal(await shown(second), await shown(first));
  });

  test("of a kind that is not known is refused by name", async () => {
    await using dir = await openFiles({ Dockerfile: "FROM busybox\n" });
    for (const [flag, type] of [
      ["--cache-to", "gha"],
      ["--cache-from", "s3"],
    ] as const) {
      const { exitCode, stderr } = await first.hawser(["build", flag, `type=${type},x=y`, dir.path]);
      assert.equal(exitCode, 1);
      assert.match(stderr, new RegExp(`"${type}" \\(known: registry, local.* is not available`));
    }
  });
});

/** A second engine knows nothing of the first but what a cache tells it. */
for (const suite of pluginSuites) {
  describe(`a build cache, by buildx of Debian ${suite}`, { skip: againstDockerd }, () => {
    let registry: TestRegistry;
    let client: BuildkitClient;
    /** Of an engine that has built none of it. */
    let other: BuildkitClient;
    const resources = new AsyncDisposableStack();
    before(async () => {
      registry = resources.use(await openTestRegistry());
      const open = async () => {
        const engine = resources.use(await openEngine());
        return resources.use(await openBuildkitClient({ environment: environmentOf(engine) }, suite));
      };
      client = await open();
      other = await open();
    });
    after(() => resources.disposeAsync());

    const build = async (on: BuildkitClient, ...args: readonly string[]) =>
      await on.ok("buildx", "build", "-t", "app", ...args);
    const shown = async (on: BuildkitClient) =>
      (await on.ok("run", "--rm", "app", "cat", "/both", "/own")).trim();
    const cachedSteps = (output: string) => output.match(/CACHED/g)?.length ?? 0;
    const host = () => new URL(registry.url).host;

    const forms = {
      manifest: "",
      index: ",image-manifest=false",
      docker: ",oci-mediatypes=false",
      zstd: ",compression=zstd,compression-level=5,force-compression=true",
    };
    for (const [form, attributes] of Object.entries(suite === "sid" ? forms : { manifest: "" })) {
      test(`in a registry (${form}) saves every step of another engine`, async () => {
        await using dir = await openFiles(sources(form));
        const ref = `${host()}/cache/${suite}:${form}`;
        await build(client, `--cache-to=type=registry,ref=${ref},mode=max${attributes}`, dir.path);
        const wanted = await shown(client);
        const output = await build(other, `--cache-from=${ref}`, dir.path);
        assert.equal(cachedSteps(output), steps, output);
        assert.equal(await shown(other), wanted);
        // What was fetched is the other's own from then on; the first stage, whose files nothing needed, was not.
        assert.match(await build(other, dir.path), /\[stage-1 2\/3\] RUN[^]*?CACHED/);
      });
    }

    test("keeps with mode=min what the result is made of", async () => {
      await using dir = await openFiles(sources("min"));
      const ref = `${host()}/cache/${suite}:min`;
      await build(client, `--cache-to=type=registry,ref=${ref}`, dir.path);
      const wanted = await shown(client);
      const output = await build(other, `--cache-from=${ref}`, dir.path);
      assert.match(output, /\[stage-1 2\/3\] RUN[^]*?CACHED/);
      assert.notEqual(cachedSteps(output), steps);
      assert.equal((await shown(other)).split("\n").at(-1), wanted.split("\n").at(-1));
    });

    test("in a folder of the client's, which may be given on", async () => {
      await using dir = await openFiles(sources("local"));
      await using cache = await openTempDir();
      await build(client, `--cache-to=type=local,dest=${cache.path},mode=max`, dir.path);
      const wanted = await shown(client);
      const index = JSON.parse(await readFile(join(cache.path, "index.json"), "utf8")) as {
        manifests: { digest: string }[];
      };
      assert.equal(index.manifests.length, 1);
      const before = (await readdir(join(cache.path, "blobs/sha256"))).toSorted();
      assert.ok(before.includes(index.manifests[0]?.digest.slice(7) ?? ""));
      await build(client, `--cache-to=type=local,dest=${cache.path},mode=max`, dir.path);
      assert.deepEqual((await readdir(join(cache.path, "blobs/sha256"))).toSorted(), before);
      const output = await build(other, `--cache-from=type=local,src=${cache.path}`, dir.path);
      assert.equal(cachedSteps(output), steps, output);
      assert.equal(await shown(other), wanted);
    });

    test("whose files are not what it says is told of, and the work is done", async () => {
      await using dir = await openFiles(sources("lie"));
      await using cache = await openTempDir();
      await build(client, `--cache-to=type=local,dest=${cache.path},mode=max`, dir.path);
      const wanted = await shown(client);
      const blobs = join(cache.path, "blobs/sha256");
      for (const name of await readdir(blobs)) {
        const bytes = await readFile(join(blobs, name));
        if (bytes[0] !== 0x1f) continue; // gzip: a layer
        bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
        await chmod(join(blobs, name), 0o644);
        await writeFile(join(blobs, name), bytes);
      }
      const output = await build(other, `--cache-from=type=local,src=${cache.path}`, dir.path);
      assert.match(output, /Cannot use the build cache/);
      const is = await shown(other);
      assert.match(is, /^lie\n/);
      assert.notEqual(is, wanted);
    });

    test("in an image itself, pushed and asked for by its name", async () => {
      await using dir = await openFiles({ Dockerfile: "FROM busybox\nRUN head -c 9 /dev/urandom > /own\n" });
      const name = `${host()}/cache/${suite}:inline`;
      const args = ["--build-arg", "BUILDKIT_INLINE_CACHE=1", "--push", "-t", name, dir.path];
      await client.ok("buildx", "build", ...args);
      const digestOn = async (on: BuildkitClient) => await on.ok("run", "--rm", name, "md5sum", "/own");
      await client.ok("pull", name);
      const wanted = await digestOn(client);
      const from = ["--cache-from", name, "-t", name, dir.path];
      const output = await other.ok("buildx", "build", ...from);
      assert.equal(cachedSteps(output), 1, output);
      assert.equal(await digestOn(other), wanted);
      await other.ok("rmi", name);
      await other.ok("builder", "prune", "-af");
      const { exitCode, stderr } = await other.run(["build", ...from], {
        env: { ...other.environment, DOCKER_BUILDKIT: "0" },
      });
      assert.equal(exitCode, 0, stderr);
      assert.equal(await digestOn(other), wanted);
    });

    test("that is not there, or of a kind that is not known, is told of", async () => {
      await using dir = await openFiles({ Dockerfile: "FROM busybox\nRUN true\n" });
      const output = await build(client, `--cache-from=${host()}/cache/none:1`, dir.path);
      assert.match(output, /importing cache manifest from [^]*ERROR|not found/);
      // buildx leaves out gha and s3 by itself where a builder does not say that it has them.
      for (const [flag, type] of [
        ["--cache-to=type=azblob,account_url=http://127.0.0.1:9/,secret_access_key=b", "azblob"],
        ["--cache-from=type=other", "other"],
      ] as const) {
        const { exitCode, stderr } = await client.run(["buildx", "build", flag, dir.path]);
        assert.equal(exitCode, 1, `${flag} ${stderr}`);
        assert.match(stderr, new RegExp(`"${type}".*is not available`));
      }
      const odd = `--cache-to=type=registry,ref=${host()}/cache/x:1,odd=1`;
      assert.match((await client.run(["buildx", "build", odd, dir.path])).stderr, /attribute "odd"/);
    });
  });
}

function environmentOf(engine: TestEngine) {
  return () => ({ ...process.env, DOCKER_HOST: engine.host, TERM: "xterm" });
}
