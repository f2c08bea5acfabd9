import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type TarSource, writeTar } from "@hawser/base";
import { eventually } from "@hawser/base/testing";
import { openFiles } from "./kit-buildkit.ts";
import { useOwnEngine } from "./kit-own-engine.ts";

const own = useOwnEngine({ client: "hawser" });
const { ok, refused } = own;

const dockerfile = (command: string) => `FROM busybox
ARG run
RUN --mount=type=cache,target=/c --mount=type=cache,id=named,target=/n,sharing=locked ${command}
`;

describe("caches of RUN", () => {
  const build = async (run: string, command: string) => {
    await using files = await openFiles({ Dockerfile: dockerfile(command) });
    await ok("build", "--build-arg", `run=${run}`, "-t", "caches:kit", files.path);
  };
  const seen = async (run: string) => {
    const look =
      "(cd /c; find . | sort; cat f; stat -c '%u:%g %a' f; readlink l; cat /n/word; true) > /seen 2>&1";
    await build(run, look);
    return await ok("run", "--rm", "caches:kit", "cat", "/seen");
  };

  test("go out as an archive and come back as they were, in the place of what is there", async () => {
    await build(
      "1",
      "echo kept > /c/f && chown 5:6 /c/f && chmod 640 /c/f && ln -s /etc /c/l && echo one > /n/word",
    );
    const before = await seen("2");
    assert.match(before, /^\.\n\.\/f\n\.\/l\nkept\n5:6 640\n\/etc\none/);
    const [all, one] = ["all.tar", "one.tar"].map((name) => join(own.folder, name));
    assert.ok(all && one);
    await ok("builder", "export", "-o", all);
    await ok("builder", "export", "-o", one, "named");

    await ok("builder", "prune", "-af");
    assert.doesNotMatch(await seen("3"), /kept/);
    assert.equal(await ok("builder", "import", all), "Imported cache mounts: 2");
    assert.equal(await seen("4"), before);

    await build("5", "echo other > /n/word && echo more > /n/more && echo stays > /c/f");
    assert.equal(await ok("builder", "import", one), "Imported cache mounts: 1");
    await build("6", "(ls /n; cat /n/word /c/f) > /seen");
    assert.equal(await ok("run", "--rm", "caches:kit", "cat", "/seen"), "word\none\nstays");
  });

  test("begin with files of a stage or of a named context, when they are made", async () => {
    await using files = await openFiles({
      Dockerfile: `FROM busybox AS first
RUN mkdir -p /seed/sub && echo seeded > /seed/sub/f && chown -R 7:8 /seed && ln -s /etc /seed/out
FROM busybox
ARG run
RUN --mount=type=cache,id=of-stage,target=/c,from=first,source=/seed \\
  --mount=type=cache,id=of-context,target=/d,from=given \\
  (cat /c/sub/f; stat -c %u:%g /c/sub/f; readlink /c/out; cat /d/word) > /seen && echo $run | tee -a /c/sub/f >> /d/word
`,
      "given/word": "given\n",
      "bad/Dockerfile":
        "FROM busybox\nRUN --mount=type=cache,id=bad,target=/c,from=busybox,source=/etc/passwd true\n",
    });
    const seen = async (run: string, ...flags: readonly string[]) => {
      const given = ["--build-context", `given=${join(files.path, "given")}`];
      await ok("build", ...flags, ...given, "--build-arg", `run=${run}`, "-t", "caches:kit", files.path);
      return await ok("run", "--rm", "caches:kit", "cat", "/seen");
    };
    assert.equal(await seen("1"), "seeded\n7:8\n/etc\ngiven");
    assert.equal(await seen("2"), "seeded\n1\n7:8\n/etc\ngiven\n1");
    // Of a stage that is made again, and is the same, it is the same cache.
    const third = await seen("3", "--no-cache-filter", "first");
    assert.equal(third, "seeded\n1\n2\n7:8\n/etc\ngiven\n1\n2");
    assert.match(
      await refused("build", join(files.path, "bad")),
      /a cache cannot begin with "\/etc\/passwd", which is not a directory/,
    );
  });

  test("are refused where there is no such one, and nothing else is taken for one", async () => {
    assert.match(
      await refused("builder", "export", "-o", join(own.folder, "x.tar"), "absent"),
      /no cache "absent"/,
    );
    assert.ok(!(await readdir(own.folder)).includes("x.tar"));
    const before = await seen("7");
    const name = "0".repeat(64);
    for (const entry of [
      { path: "not-a-cache/f", type: "file", content: Buffer.from("x") },
      { path: name, type: "file", content: Buffer.from("x") },
      { path: name, type: "symlink", linkPath: "/etc" },
      { path: `../${name}/f`, type: "file", content: Buffer.from("x") },
    ] as const satisfies readonly TarSource[]) {
      const archive = join(own.folder, "odd.tar");
      await writeFile(archive, Buffer.concat(await Array.fromAsync(writeTar([entry]))));
      const words = await refused("builder", "import", archive);
      assert.match(words, /is no archive of caches|leaves the folder/, entry.path);
    }
    const broken = join(own.folder, "broken.tar");
    await ok("builder", "export", "-o", broken);
    await truncate(broken, Math.floor((await stat(broken)).size / 2));
    await build("8", "echo newer > /n/word");
    await refused("builder", "import", broken);
    await build("9", "cat /n/word > /seen");
    assert.equal(await ok("run", "--rm", "caches:kit", "cat", "/seen"), "newer");
    assert.match(before, /one/);
  });

  test("a prune while a build lasts leaves what that uses, and nothing else", async () => {
    const steps = (name: string, wait = "true") => `FROM busybox
RUN echo first of ${name} > /first
RUN --mount=type=cache,id=${name},target=/c echo kept >> /c/f && ${wait} && cat /c/f > /seen
`;
    await using other = await openFiles({ Dockerfile: steps("other") });
    await using lasting = await openFiles({
      Dockerfile: steps("lasting", "until [ -e /c/go ]; do sleep 0.05; done"),
    });
    const build = ({ path }: { readonly path: string }) =>
      own.engine.hawser(["build", "--progress", "plain", "-t", "pruned:kit", path]);
    const cachedSteps = async (files: { readonly path: string }) =>
      [...(await build(files)).stderr.matchAll(/CACHED$/gm)].length;
    await build(other);
    assert.equal(await cachedSteps(other), 2);
    const building = build(lasting);
    const cache = (id: string) =>
      join(own.engine.dataRoot, "builds/cache", createHash("sha256").update(id).digest("hex"));
    await eventually(() => existsSync(join(cache("lasting"), "f")), { what: "the build has its cache" });
    assert.match(await ok("system", "df", "-v", "--format", "json"), /"InUse":"?true/);
    await ok("builder", "prune", "-af");
    assert.equal(existsSync(cache("other")), false);
    await writeFile(join(cache("lasting"), "go"), "");
    const { exitCode, stderr } = await building;
    assert.equal(exitCode, 0, stderr);
    assert.equal(await ok("run", "--rm", "pruned:kit", "cat", "/seen"), "kept");
    assert.equal(
      await cachedSteps(lasting),
      2,
      "the first step's result was used, the other came afterwards",
    );
    assert.equal(await cachedSteps(other), 0);
    await ok("builder", "prune", "-af");
    assert.equal(existsSync(cache("lasting")), false);
  });
});
