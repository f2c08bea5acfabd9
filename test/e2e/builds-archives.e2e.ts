import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { openFiles } from "./kit-buildkit.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { ask } from "./kit-http.ts";
import { againstDockerd } from "./kit-target.ts";

const largeBytes = 8 << 20;

/** A large file of a stage, of which the image has a small one. */
const source = `FROM busybox AS deps
RUN mkdir /deps && yes | head -c ${largeBytes} > /deps/large
FROM deps AS made
RUN wc -c < /deps/large > /deps/size
FROM busybox
COPY --from=made /deps/size /size
`;

describe("what a build makes, on the disk", { skip: againstDockerd }, () => {
  let engine: TestEngine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => engine[Symbol.asyncDispose]());

  const build = (...flags: readonly string[]) => buildOf(source, ...flags);
  const buildOf = async (dockerfile: string, ...flags: readonly string[]) => {
    await using dir = await openFiles({ Dockerfile: dockerfile });
    const { exitCode, stdout, stderr } = await engine.hawser(["build", ...flags, dir.path]);
    assert.equal(exitCode, 0, stderr);
    return stdout + stderr;
  };
  /** How many archives have the large file. */
  const large = async () => {
    const folder = join(engine.dataRoot, "content/sha256");
    const sizes = (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size);
    return (await Promise.all(sizes)).filter((sizeBytes) => sizeBytes > largeBytes).length;
  };
  const idOf = async (name: string): Promise<unknown> =>
    (await ask(engine.socket, `GET /images/${name}/json`)).json()["Id"];
  const forget = async () => {
    for (const name of ["result:1", "result:2", "made:1"]) {
      await ask(engine.socket, `DELETE /images/${name}`); // one that is not there is gone
    }
    assert.equal((await ask(engine.socket, "POST /build/prune?all=1")).status, 200);
  };

  test("a stage that no image has anything of has none, and one that becomes an image has one", async () => {
    await build("-t", "result:1");
    const result = await idOf("result:1");
    assert.equal(await large(), 0);
    await build("-t", "result:2");
    assert.equal(await idOf("result:2"), result);
    assert.equal(await large(), 0);

    await build("--target", "made", "-t", "made:1");
    assert.equal(await large(), 1);
    const made = await idOf("made:1");

    // In the other order, with nothing that was kept.
    await forget();
    await build("--target", "made", "-t", "made:1");
    await build("-t", "result:1");
    assert.deepEqual([await idOf("made:1"), await idOf("result:1")], [made, result]);
  });

  test("a layer of an image gets its archive while the next step goes on", async () => {
    await forget();
    const steps = [
      `RUN yes | head -c ${largeBytes} > /large`,
      "RUN --mount=type=cache,id=gate,target=/gate until [ -e /gate/open ]; do sleep 0.1; done",
    ];
    const gate = join(engine.dataRoot, "builds/cache", createHash("sha256").update("gate").digest("hex"));
    const built = buildOf(["FROM busybox", ...steps].join("\n"), "-t", "made:1");
    try {
      await eventually(async () => (await large()) === 1, { deadlineMs: 60_000 });
    } finally {
      await writeFile(join(gate, "open"), "");
      await built;
    }
  });

  test("no step waits for the disk: overlay is told so", async () => {
    const step = "RUN grep -q '^overlay / overlay .*[,=]volatile' /proc/mounts";
    await buildOf(`FROM busybox\n${step}\n`, "-o", "type=cacheonly");
  });

  test("a stage that was made before the engine died is found by the next one, and its archive is made then", async () => {
    await forget();
    await build("-o", "type=cacheonly", "--target", "made");
    assert.equal(await large(), 0);
    await engine.kill();
    await engine.start();
    const told = await build("--target", "made", "-t", "made:1", "--progress", "plain");
    assert.equal(told.match(/^#\d+ CACHED/gm)?.length, 2, told);
    assert.equal(await large(), 1);
  });
});
