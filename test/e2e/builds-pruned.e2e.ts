import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type BuildkitClient, openBuildkitClient, openFiles } from "./kit-buildkit.ts";
import { ask } from "./kit-http.ts";
import { type Json, textOf, useTarget } from "./kit-target.ts";

/** Of the three results, two are layers of the image and one is of a stage that is in no image. */
const source = `FROM busybox AS beside
RUN echo beside > /beside
FROM busybox
RUN echo first > /first
RUN echo second > /second
COPY --from=beside /beside /copied
`;
const results = ["beside", "first", "second"];

const target = useTarget();
let client: BuildkitClient;

/** The results that are kept, and whether images share them: `first:true`. */
async function kept(): Promise<readonly string[]> {
  const { BuildCache: records } = (await ask(target.socket(), "GET /system/df?type=build-cache")).json();
  return ((records ?? []) as readonly Json[])
    .flatMap((record) => {
      const name = results.find((each) => textOf(record["Description"]).includes(`echo ${each}`));
      return name === undefined ? [] : [`${name}:${textOf(record["Shared"])}`];
    })
    .toSorted();
}

/** @param flags default: an image of the last stage */
async function build(...flags: readonly string[]): Promise<string> {
  await using dir = await openFiles({ Dockerfile: source });
  return await client.ok("buildx", "build", ...(flags.length === 0 ? ["-t", "pruned:kit"] : flags), dir.path);
}

async function prune(query = ""): Promise<void> {
  const { status, text } = await ask(target.socket(), `POST /build/prune${query}`);
  assert.equal(status, 200, text);
}

describe("a prune of the build cache", () => {
  before(async () => {
    client = await openBuildkitClient(target, "sid");
  });
  after(() => client[Symbol.asyncDispose]());

  const shared = ["first:true", "second:true"];

  test("a prune spares the results that images share", async () => {
    await build();
    assert.deepEqual(await kept(), ["beside:false", ...shared]);
    await prune();
    assert.deepEqual(await kept(), shared);
    assert.equal((await build()).match(/RUN echo (first|second)[^]*?CACHED/g)?.length, 2);
  });

  test("a prune of buildx does, too", async () => {
    await build("--target", "beside", "-o", "type=cacheonly");
    assert.deepEqual(await kept(), ["beside:false", ...shared]);
    assert.match(await client.ok("buildx", "du"), /Shared:\s+[^]*Private:\s+/);
    await client.ok("buildx", "prune", "-f");
    assert.deepEqual(await kept(), shared);
  });

  test("one of everything takes them, and the image keeps its layers", async () => {
    await build();
    await prune("?all=1");
    assert.deepEqual(await kept(), []);
    assert.equal(await target.ok("run", "--rm", "pruned:kit", "cat", "/first", "/second"), "first\nsecond\n");
  });

  test("what an image shared goes when that is gone", async () => {
    await build();
    await target.ok("rmi", "pruned:kit");
    assert.deepEqual(await kept(), ["beside:false", "first:false", "second:false"]);
    await prune();
    assert.deepEqual(await kept(), []);
  });
});
