import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { mkdir, readdir, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { writeTar } from "@hawser/base";
import { eventually, openTempDir } from "@hawser/base/testing";
import { openFiles } from "./kit-buildkit.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { ask } from "./kit-http.ts";
import { runCommandOk } from "./kit-process.ts";
import { againstDockerd } from "./kit-target.ts";

const isBuilt = /"aux":\{"ID":"sha256:/;

/** All that is below a folder, but for layers' files and what SQLite has. */
function listTree(folder: string, at = ""): readonly string[] {
  return readdirSync(join(folder, at), { withFileTypes: true }).flatMap((entry) => {
    const path = join(at, entry.name);
    if (/^[^/]*\.db/.test(path)) return [];
    return entry.isDirectory() && !/^layers\/\d+\/diff$/.test(path)
      ? [path, ...listTree(folder, path)]
      : [path];
  });
}

describe("a disk that is full while something is built", { skip: againstDockerd }, () => {
  let engine: TestEngine;
  let dataRoot = "";
  let baseline: readonly string[] = [];
  const resources = new AsyncDisposableStack();

  /** What was removed gives its room back in the background. */
  const settled = async () => {
    for (const name of ["content/ingest", "layers/ingest"]) {
      const left = () => readdir(join(dataRoot, name));
      await eventually(async () => (await left()).length === 0, { what: `${name} is empty` });
    }
  };
  /** Room for so many more files, and bytes; default: enough. */
  const leaveRoom = async ({
    files,
    sizeBytes,
  }: {
    readonly files?: number;
    readonly sizeBytes?: number;
  }) => {
    await settled();
    const now = await statfs(dataRoot);
    const inodes = files === undefined ? 20_000 : now.files - now.ffree + files;
    const blocks = now.blocks - now.bfree;
    const size = sizeBytes === undefined ? 64 << 20 : blocks * now.bsize + sizeBytes;
    await runCommandOk(["mount", "-o", `remount,nr_inodes=${inodes},size=${size}`, dataRoot]);
  };
  /** With a text that no build had before. @returns what is told of it */
  const build = async () => {
    const dockerfile = "FROM busybox\nCOPY text /text\nADD . /all/\nRUN cp /text /again\nWORKDIR /new\n";
    const sources = { Dockerfile: dockerfile, text: randomBytes(16).toString("hex") };
    const entries = Object.entries(sources).map(
      ([path, text]) => ({ path, type: "file", content: Buffer.from(text) }) as const,
    );
    const body = Buffer.concat(await Array.fromAsync(writeTar(entries)));
    const headers = { "content-type": "application/x-tar" };
    return (await ask(engine.socket, "POST /build", { body, headers })).text;
  };
  const forget = async () => {
    for (const what of ["images/prune", "build/prune?all=1"]) {
      assert.equal((await ask(engine.socket, `POST /${what}`)).status, 200);
    }
  };
  const nothingLeft = async () => {
    await forget();
    let found: readonly string[] = [];
    await eventually(() => {
      found = listTree(dataRoot).toSorted();
      return found.join() === baseline.join();
    }).catch(() => {});
    assert.deepEqual(found, baseline);
  };

  before(async () => {
    dataRoot = resources.use(await openTempDir("hawser-e2e-full-")).path;
    await runCommandOk(["mount", "-t", "tmpfs", "-o", "size=64m,nr_inodes=20000", "tmpfs", dataRoot]);
    resources.defer(async () => void (await runCommandOk(["umount", "-l", dataRoot])));
    engine = resources.use(await openEngine({ flags: ["--data-root", dataRoot] }));
    await mkdir(join(dataRoot, "builds/kept"), { recursive: true });
    assert.match(await build(), isBuilt);
    await forget();
    await settled();
    baseline = listTree(dataRoot).toSorted();
  });
  after(() => resources.disposeAsync());
  beforeEach(() => leaveRoom({}));

  for (const [what, step] of [
    ["files", 1],
    ["sizeBytes", 8192],
  ] as const) {
    test(`says so wherever that is, and nothing of it stays (${what})`, async () => {
      let failed = 0;
      for (let room = 0, built = 0; built < 2; room += step) {
        assert.ok(room < 100 * step, "it would do with less");
        await leaveRoom({ [what]: room });
        const told = await build();
        if (isBuilt.test(told)) built += 1;
        else {
          assert.match(told, /no space left on device/i);
          assert.doesNotMatch(told, /read-only/i);
          const own = told.replaceAll(/Cannot [a-z ]+: ENOSPC/g, "");
          assert.doesNotMatch(own, /ENOSPC/, "what the system says stands alone");
          failed += 1;
        }
      }
      assert.ok(failed > 3);
      await leaveRoom({});
      await nothingLeft();
      assert.match(await build(), isBuilt);
      await nothingLeft();
    });
  }

  test("says so where a container cannot begin", async () => {
    let failed = 0;
    for (let room = 0, began = 0; began < 3; room += 1) {
      assert.ok(room < 60, "it would do with less");
      await leaveRoom({ files: room });
      const { exitCode, stderr } = await engine.docker(["run", "--rm", "busybox", "true"]);
      if (exitCode === 0) began += 1;
      else {
        assert.match(stderr, /no space left on device/i);
        failed += 1;
      }
    }
    assert.ok(failed > 3);
    await leaveRoom({});
    await nothingLeft();
  });

  test("says so when results are written down for others, and then does it", async () => {
    await using dir = await openFiles({ Dockerfile: "FROM scratch\nCOPY big /big\n" });
    await writeFile(join(dir.path, "big"), randomBytes(2 << 20));
    await using out = await openTempDir();
    // Another one each: what was written down once is kept so.
    const written = (compression: string) => `compression=${compression},force-compression=true`;
    const places = [
      ["--cache-to", `type=local,dest=${join(out.path, "cache")},${written("zstd")}`],
      ["-o", `type=oci,dest=${join(out.path, "image.tar")},${written("gzip")}`],
    ] as const;
    const run = (...flags: readonly string[]) => engine.hawser(["build", ...flags, dir.path]);
    assert.equal((await run()).exitCode, 0);
    for (const place of places) {
      await leaveRoom({ sizeBytes: 1 << 20 });
      const full = await run(...place);
      assert.equal(full.exitCode, 1);
      assert.match(full.stderr, /no space left on device/i);
      await leaveRoom({});
      const { exitCode, stderr } = await run(...place);
      assert.equal(exitCode, 0, stderr);
    }
    assert.deepEqual((await readdir(out.path)).toSorted(), ["cache", "image.tar"]);
    await nothingLeft();
  });

  test("says so when another builder's results come, and does without them", async () => {
    // How much there is of it is no part of what names the result.
    const dockerfile =
      "FROM busybox\nRUN --mount=type=secret,id=n head -c $(cat /run/secrets/n) /dev/urandom > /n\n";
    await using dir = await openFiles({ Dockerfile: dockerfile, large: String(2 << 20), small: "10" });
    await using out = await openTempDir();
    const run = async (size: "large" | "small", flag: string) => {
      const secret = ["--secret", `id=n,src=${join(dir.path, size)}`];
      return await engine.hawser(["build", "--progress", "plain", ...secret, flag, dir.path]);
    };
    // Uncompressed: of what is below nothing new is kept.
    const cacheTo = `--cache-to=type=local,dest=${out.path},mode=max,compression=uncompressed`;
    const exported = await run("large", cacheTo);
    assert.equal(exported.exitCode, 0, exported.stderr);
    const cacheFrom = `--cache-from=type=local,src=${out.path}`;
    await forget();
    await leaveRoom({ sizeBytes: 1 << 20 });
    const full = await run("small", cacheFrom);
    assert.equal(full.exitCode, 0, full.stderr);
    assert.match(
      full.stderr,
      /leaving out [^]*Cannot take in layers of the build cache .*: no space left on device/,
    );
    await forget();
    await leaveRoom({});
    assert.match((await run("small", cacheFrom)).stderr, /CACHED/);
    await nothingLeft();
  });
});
