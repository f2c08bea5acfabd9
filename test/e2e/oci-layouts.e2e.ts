import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { type BuildkitClient, openBuildkitClient, openFiles, pluginSuites } from "./kit-buildkit.ts";
import { runCommandOk } from "./kit-process.ts";
import { hawserOnly, useTarget } from "./kit-target.ts";

const target = useTarget();

interface Described {
  readonly digest: string;
}

/** An OCI layout in a folder of an image that is built for it. */
async function openLayout(client: BuildkitClient, text: string) {
  const dir = await openTempDir();
  const path = join(dir.path, "layout");
  await using files = await openFiles({
    Dockerfile: `FROM busybox\nRUN echo ${text} > /of-layout\nENV OF=layout\n`,
  });
  const archive = join(dir.path, "archive.tar");
  await client.ok("build", "--output", `type=oci,dest=${archive}`, files.path);
  await mkdir(path);
  await runCommandOk(["tar", "-xf", archive, "-C", path]);
  const blob = (digest: string) => join(path, "blobs", digest.replace(":", "/"));
  const index = JSON.parse(await readFile(join(path, "index.json"), "utf8")) as {
    readonly manifests: readonly Described[];
  };
  const digest = index.manifests[0]?.digest ?? "";
  const manifest = JSON.parse(await readFile(blob(digest), "utf8")) as {
    readonly layers: readonly Described[];
  };
  // Nothing of the image stays here: its layers have to come from the client.
  await target.ok("image", "prune", "-f");
  await target.ok("builder", "prune", "-af");
  return {
    context: `oci-layout://${path}@${digest}`,
    untagged: `oci-layout://${path}`,
    topLayer: blob(manifest.layers.at(-1)?.digest ?? ""),
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

for (const suite of pluginSuites) {
  describe(`OCI layouts as contexts, by buildx of Debian ${suite}`, hawserOnly, () => {
    let client: BuildkitClient;
    before(async () => {
      client = await openBuildkitClient(target, suite);
    });
    after(() => client[Symbol.asyncDispose]());

    test("a stage begins with one, and copies from one; it is no image of the user's", async () => {
      await using layout = await openLayout(client, suite);
      await using dir = await openFiles({
        Dockerfile: "FROM base\nCOPY --from=other /of-layout /copied\nRUN echo $OF > /ran\n",
      });
      const contexts = ["base", "other"].flatMap((name) => ["--build-context", `${name}=${layout.context}`]);
      const before = await target.ok("images", "-aq");
      await client.ok("build", ...contexts, "-t", "layout:kit", dir.path);
      const shown = await target.ok("run", "--rm", "layout:kit", "cat", "/of-layout", "/copied", "/ran");
      assert.equal(shown, `${suite}\n${suite}\nlayout\n`);
      assert.equal((await target.ok("images", "-aq")).split("\n").length, before.split("\n").length + 1);
      await target.ok("rmi", "layout:kit");
    });

    test("one whose blobs are not what they are called is refused", async () => {
      await using layout = await openLayout(client, `${suite}-damaged`);
      const bytes = await readFile(layout.topLayer);
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 0xff;
      await writeFile(layout.topLayer, bytes);
      await using dir = await openFiles({ Dockerfile: "FROM base\n" });
      const { exitCode, stderr } = await client.run([
        "build",
        "--build-context",
        `base=${layout.context}`,
        dir.path,
      ]);
      assert.equal(exitCode, 1);
      assert.match(stderr, /of an OCI layout: its content is another/);
    });
  });
}

test(
  "hawser build lends layouts, too: by digest, by tag, or the only image there is",
  hawserOnly,
  async () => {
    await using client = await openBuildkitClient(target, "sid");
    await using layout = await openLayout(client, "own");
    await using dir = await openFiles({
      Dockerfile: "FROM base\nCOPY --from=other /of-layout /copied\nRUN echo $OF > /ran\n",
    });
    const build = (base: string) =>
      target
        .engine()
        .hawser([
          "build",
          "--build-context",
          `base=${base}`,
          "--build-context",
          `other=${layout.context}`,
          "-t",
          "layout:own",
          dir.path,
        ]);
    const { exitCode, stderr } = await build(layout.untagged);
    assert.equal(exitCode, 0, stderr);
    const shown = await target.ok("run", "--rm", "layout:own", "cat", "/of-layout", "/copied", "/ran");
    assert.equal(shown, "own\nown\nlayout\n");
    await target.ok("rmi", "layout:own");

    const absent = await build(`${layout.untagged}:absent`);
    assert.notEqual(absent.exitCode, 0);
    assert.match(absent.stderr, /no image of that tag in .*index\.json/);

    await target.ok("builder", "prune", "-af");
    const bytes = await readFile(layout.topLayer);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 0xff;
    await writeFile(layout.topLayer, bytes);
    const damaged = await build(layout.context);
    assert.equal(damaged.exitCode, 1);
    assert.match(damaged.stderr, /of an OCI layout: its content is another/);
  },
);
