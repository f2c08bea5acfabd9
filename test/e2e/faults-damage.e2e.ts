import assert from "node:assert/strict";
import { copyFile, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { root } from "../../tools/tree.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { againstDockerd } from "./kit-target.ts";

const hello = join(root, "build/images/hello-world.tar");

async function ok(engine: TestEngine, ...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await engine.docker(args);
  assert.equal(exitCode, 0, `docker ${args.join(" ")}\n${stderr}${stdout}`);
  return stdout;
}

/** Overwrite bytes of a file, in its place. */
async function damage(path: string, position: number, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, "r+");
  await file.write(bytes, 0, bytes.length, position);
}

/** Everything below a folder and its size, without databases. */
async function listTree(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !/\.db(-wal|-shm)?$/.test(entry.name));
  const sized = files.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name);
    return `${path} ${(await stat(path)).size}`;
  });
  return (await Promise.all(sized)).toSorted();
}

describe("a damaged disk", { skip: againstDockerd }, () => {
  for (const name of ["hawser.db", "store.db"]) {
    for (const [how, bytes, position] of [
      ["in its middle", Buffer.alloc(3000, 0xa5), 4096 + 8],
      ["at its head", Buffer.from("no database at all"), 0],
    ] as const) {
      test(`${name}, ${how}: the engine says what it is and what to do, and touches nothing`, async () => {
        await using engine = await openEngine();
        await ok(engine, "pull", "busybox");
        await ok(
          engine,
          "run",
          "-d",
          "--name",
          "runs",
          "busybox",
          "sh",
          "-c",
          "echo kept >/file; sleep 1000",
        );
        await ok(engine, "volume", "create", "held");
        await engine.stop();
        const path = join(engine.dataRoot, name);
        for (const suffix of ["-wal", "-shm"]) await rm(`${path}${suffix}`, { force: true });
        await copyFile(path, `${path}.copy`);
        await damage(path, position, bytes);
        const before = await listTree(engine.dataRoot);
        const damaged = await readFile(path);

        await assert.rejects(engine.start(), (error: Error) => {
          assert.match(error.message, new RegExp(`${name} is damaged`));
          assert.match(error.message, /copy of it|move it away/);
          return true;
        });
        assert.deepEqual(await readFile(path), damaged, "it is as it was found");
        assert.deepEqual(await listTree(engine.dataRoot), before);
        assert.equal(engine.monitors().length, 1, "containers go on");

        await copyFile(`${path}.copy`, path);
        await engine.start();
        assert.equal(await ok(engine, "exec", "runs", "cat", "/file"), "kept\n");
        assert.equal(await ok(engine, "volume", "ls", "-q"), "held\n");
      });
    }
  }

  test("blobs: nothing wrong is given out, the others are whole, and loading again mends it", async () => {
    await using engine = await openEngine();
    await ok(engine, "pull", "busybox");
    await ok(engine, "load", "-i", hello);
    const id = (await ok(engine, "images", "-q", "--no-trunc", "hello-world")).trim();
    const layers = JSON.parse(await ok(engine, "inspect", "-f", "{{json .RootFS.Layers}}", "hello-world"));
    const blobOf = (digest: string) => join(engine.dataRoot, "content/sha256", digest.replace("sha256:", ""));

    await damage(blobOf(layers[0]), 600, Buffer.from("damaged"));
    const saved = await engine.docker(["save", "-o", join(engine.dataRoot, "saved.tar"), "hello-world"]);
    assert.notEqual(saved.exitCode, 0, "a damaged layer is not given out");
    await eventually(() => engine.log().includes(layers[0]), { what: "the engine names the blob" });
    assert.match(await ok(engine, "run", "--rm", "hello-world"), /Hello/, "what is unpacked is whole");
    await ok(engine, "save", "-o", join(engine.dataRoot, "saved.tar"), "busybox");

    await damage(blobOf(id), 0, Buffer.from("x"));
    await engine.stop();
    const before = await readdir(join(engine.dataRoot, "layers"));
    await engine.start();
    assert.match(engine.log(), /cannot read an image/);
    assert.equal(await ok(engine, "images", "-q", "hello-world"), "");
    assert.equal(await ok(engine, "run", "--rm", "busybox", "echo", "whole"), "whole\n");
    await eventually(async () => (await ok(engine, "ps", "-aq")) === "");
    assert.deepEqual(await readdir(join(engine.dataRoot, "layers")), before, "nothing of it is removed");

    await ok(engine, "load", "-i", hello);
    assert.equal((await ok(engine, "images", "-q", "--no-trunc", "hello-world")).trim(), id);
    assert.match(await ok(engine, "run", "--rm", "hello-world"), /Hello/);
    await ok(engine, "save", "-o", join(engine.dataRoot, "saved.tar"), "hello-world");
    await ok(engine, "rmi", "hello-world");
    assert.notDeepEqual(await readdir(join(engine.dataRoot, "layers")), before, "what is unused goes again");
  });
});
