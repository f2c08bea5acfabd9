import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { type FakeRegistry, openFakeRegistry } from "@hawser/registry/testing";
import { openFiles } from "./kit-buildkit.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { type FilesServer, openFilesServer } from "./kit-files-server.ts";
import { openRepository, type TestRepository } from "./kit-git.ts";
import { busyboxLayer, layerOf, publishImage } from "./kit-registry.ts";
import { hawserOnly } from "./kit-target.ts";

describe("what a build begins with", hawserOnly, () => {
  let engine: TestEngine;
  let registry: FakeRegistry;
  let server: FilesServer;
  let repository: TestRepository;
  const resources = new AsyncDisposableStack();
  before(async () => {
    engine = resources.use(await openEngine());
    registry = resources.use(await openFakeRegistry());
    server = resources.use(await openFilesServer());
    repository = resources.use(await openRepository());
  });
  after(() => resources.disposeAsync());

  const build = (...args: string[]) =>
    engine.hawser(["build", "--progress", "plain", ...args], { timeoutMs: 200_000 });
  const ok = async (...args: string[]) => {
    const { exitCode, stderr } = await build(...args);
    assert.equal(exitCode, 0, stderr);
    return stderr;
  };
  const refused = async (...args: string[]) => {
    const { exitCode, stderr } = await build(...args);
    assert.equal(exitCode, 1, stderr);
    return stderr;
  };
  const cat = async (image: string, ...files: string[]) => {
    const { stdout, stderr } = await engine.docker(["run", "--rm", image, "cat", ...files]);
    return `${stdout}${stderr}`;
  };
  const publish = async (word: string) =>
    publishImage(registry, {
      repository: "base",
      tag: "v1",
      form: "index",
      plainLayers: [await busyboxLayer(), await layerOf({ word })],
    });
  const commit = async (word: string) => {
    await writeFile(join(repository.folder, "word"), word);
    await repository.git("add", ".");
    await repository.git("commit", "-q", "-m", word);
    return (await repository.git("rev-parse", "HEAD")).trim();
  };

  test("ADD asks an address whether it has changed, and knows files by their content", async () => {
    await using dir = await openFiles({
      Dockerfile: `FROM busybox\nADD ${server.address}/some%20file /got/\nRUN cat /got/* > /seen\n`,
    });
    const statuses = () => server.seen.splice(0).map(({ status }) => status);
    server.files.set("/some%20file", "one");
    await ok("-t", "fetched", dir.path);
    assert.equal(await cat("fetched", "/got/some file", "/seen"), "oneone");
    assert.deepEqual(statuses(), [200]);

    assert.match(await ok("-t", "fetched", dir.path), /ADD [^\n]*\n#\d+ CACHED[^]*RUN [^\n]*\n#\d+ CACHED/);
    assert.deepEqual(statuses(), [304]);

    server.files.set("/some%20file", "two");
    await ok("-t", "fetched", dir.path);
    assert.equal(await cat("fetched", "/got/some file", "/seen"), "twotwo");
    assert.deepEqual(statuses(), [200]);

    server.files.set("/some%20file", "one");
    server.hasEtags = false;
    assert.match(await ok("-t", "fetched", dir.path), /ADD [^\n]*\n#\d+ CACHED[^]*RUN [^\n]*\n#\d+ CACHED/);
    assert.equal(await cat("fetched", "/seen"), "one");
    assert.deepEqual(statuses(), [200], "what is there has been there before");
    server.hasEtags = true;

    server.files.delete("/some%20file");
    assert.match(await refused(dir.path), /Dockerfile:2\n[^]*cannot get http[^]*status 404/);
    await engine.docker(["rmi", "fetched"]);
  });

  test("is written into a lock file, and builds begin with that again, whatever has become of it", async () => {
    const first = await publish("one");
    server.files.set("/file", "one");
    const commitOne = await commit("one");
    await using dir = await openFiles({
      Dockerfile: `FROM ${registry.address}/base:v1 AS base
ADD ${server.address}/file /file
ADD ${repository.address}#main /repository
FROM base
COPY --from=busybox /bin/busybox /other
COPY . /context
RUN cat /word /file /repository/word > /words && ls -A /context > /listed
`,
    });
    const lockFile = join(dir.path, "hawser.lock");
    assert.match(
      await refused("--locked", dir.path),
      /Cannot read the lock file .*hawser\.lock: there is none/,
    );
    await ok("--lock", "-t", "locked:one", dir.path);
    const text = await readFile(lockFile, "utf8");
    const lock = JSON.parse(text);
    assert.equal(lock.version, 1);
    assert.deepEqual(lock.images[`${registry.address}/base:v1`], { digest: first.digest });
    assert.match(
      lock.images["docker.io/library/busybox:latest"].id,
      /^sha256:[0-9a-f]{64}$/,
      "only the engine has it",
    );
    assert.deepEqual(Object.keys(lock.files), [`${server.address}/file`]);
    assert.deepEqual(lock.repositories, { [`${repository.address}#main`]: commitOne });
    const idOf = async (name: string) => (await engine.docker(["inspect", "-f", "{{.Id}}", name])).stdout;

    // Everything moves on.
    await publish("two");
    server.files.set("/file", "two");
    await commit("two");
    await ok("--locked", "-t", "locked:again", dir.path);
    assert.equal(
      await idOf("locked:again"),
      await idOf("locked:one"),
      "the lock file is no part of what is built",
    );
    await ok("--pull", "-t", "newest", dir.path);
    assert.equal(await cat("newest", "/words"), "twotwotwo");

    // An engine that has none of it gets what the lock file says, or nothing.
    for (const name of ["locked:one", "locked:again", "newest", `${registry.address}/base:v1`]) {
      await engine.docker(["rmi", "-f", name]);
    }
    await engine.docker(["image", "prune", "-af"]);
    assert.equal((await engine.docker(["builder", "prune", "-af"])).exitCode, 0);
    const drifted = await refused("--locked", dir.path);
    assert.match(drifted, new RegExp(`digest mismatch of ${server.address}/file: sha256:.*expected sha256:`));
    server.files.set("/file", "one");
    await ok("--locked", "-t", "locked:anew", dir.path);
    assert.equal(await cat("locked:anew", "/words"), "oneoneone");
    assert.equal(await cat("locked:anew", "/listed"), "Dockerfile\n");

    // Writing it again takes what is there now.
    await ok("--lock", "--pull", dir.path);
    assert.notDeepEqual(JSON.parse(await readFile(lockFile, "utf8")), lock);
    await engine.docker(["rmi", "locked:anew"]);
  });

  test("is refused where it is not in the lock file, or no longer what that says", async () => {
    await publish("one");
    server.files.set("/file", "one");
    await using dir = await openFiles({ Dockerfile: `FROM busybox\n` });
    const lockFile = join(dir.path, "elsewhere.lock");
    const options = ["--lock-file", lockFile];
    await ok("--lock", ...options, dir.path);
    const recipes = {
      image: `FROM ${registry.address}/base:v1\n`,
      file: `FROM busybox\nADD ${server.address}/file /\n`,
      repository: `FROM busybox\nADD ${repository.address}#main /\n`,
    };
    for (const [what, text] of Object.entries(recipes)) {
      await writeFile(join(dir.path, "Dockerfile"), text);
      const words = new RegExp(`Cannot build from ${what} \\S+: it is not in the lock file`);
      assert.match(await refused("--locked", ...options, dir.path), words);
    }
    // An image of this machine's is for one platform.
    await writeFile(join(dir.path, "Dockerfile"), "FROM busybox\nLABEL a=1\n");
    await ok("-t", "own", dir.path);
    await writeFile(join(dir.path, "Dockerfile"), "FROM own\n");
    await ok("--lock", ...options, dir.path);
    await ok("--locked", "--platform", "linux/amd64", ...options, dir.path);
    assert.match(
      await refused("--locked", "--platform", "linux/s390x", ...options, dir.path),
      /Cannot build from image docker\.io\/library\/own:latest: linux\/s390x was wanted, the lock file has an image for linux\/amd64/,
    );
    // And by now it is another one.
    await using other = await openFiles({ Dockerfile: "FROM busybox\nLABEL a=2\n" });
    await ok("-t", "own", other.path);
    await engine.docker(["image", "prune", "-f"]);
    assert.match(
      await refused("--locked", ...options, dir.path),
      /Cannot build from image docker\.io\/library\/own:latest: it is sha256:\S+, the lock file has sha256:/,
    );
    await engine.docker(["rmi", "own"]);

    const bad = async (text: string, words: RegExp) => {
      await writeFile(lockFile, text);
      assert.match(await refused("--locked", ...options, dir.path), words);
    };
    await bad("{", /it is no JSON/);
    await bad('{"version":7}', /it has version 7, 1 was wanted/);
    await bad('{"version":1,"images":{"a":1}}', /what "images" has is not what --lock writes/);
    await bad('{"version":1,"images":{"own":{"digest":"sha256:x"}}}', /Cannot pin own/);
    assert.match(await refused("--lock", "--locked", dir.path), /cannot be used together/);
    await rm(lockFile);
  });

  test("is pinned for a repository that is built from, too", async () => {
    await using work = await openTempDir();
    await writeFile(join(repository.folder, "Dockerfile"), "FROM busybox\nCOPY word /word\n");
    await commit("three");
    const options = ["--lock-file", join(work.path, "lock"), "-t", "remote"];
    await ok("--lock", ...options, `${repository.address}#main`);
    await commit("four");
    await ok("--locked", ...options, `${repository.address}#main`);
    assert.equal(await cat("remote", "/word"), "three");
    await engine.docker(["rmi", "remote"]);
  });
});
