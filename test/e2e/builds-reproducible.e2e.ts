import assert from "node:assert/strict";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { writeTar } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { type FakeRegistry, openFakeRegistry } from "@hawser/registry/testing";
import { openBuildkitClient } from "./kit-buildkit.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { type CommandResult, runCommandOk } from "./kit-process.ts";
import { busyboxLayer, publishImage } from "./kit-registry.ts";
import { hawserOnly, type Inspected, textOf } from "./kit-target.ts";

describe("the same source gives the same image", hawserOnly, () => {
  let registry: FakeRegistry;
  const engines: TestEngine[] = [];
  const resources = new AsyncDisposableStack();

  before(async () => {
    registry = resources.use(await openFakeRegistry());
    for (const tag of ["one", "other"]) {
      publishImage(registry, { repository: "base", tag, plainLayers: [await busyboxLayer()] });
      engines.push(resources.use(await openEngine()));
    }
  });
  after(() => resources.disposeAsync());

  const wanted = ({ exitCode, stdout, stderr }: CommandResult) => {
    assert.equal(exitCode, 0, stderr + stdout);
    return stdout;
  };
  const engineOf = (at: number) => {
    const engine = engines[at];
    assert.ok(engine);
    return engine;
  };
  /** The files in the order that is given, each written a while after the one before. */
  const openContext = async (files: readonly (readonly [string, string | Buffer])[], since: number) => {
    const dir = await openTempDir();
    for (const [at, [name, content]] of files.entries()) {
      const path = join(dir.path, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
      await utimes(path, since + at, since + at);
    }
    return dir;
  };

  test("on two engines that have nothing in common, by our client and by buildx", async () => {
    const archive = gzipSync(
      Buffer.concat(
        await Array.fromAsync(
          writeTar([
            { path: "old", type: "file", uid: 7, mtimeNs: 1_000_000_000n, content: Buffer.from("old") },
            {
              path: "young",
              type: "file",
              mtimeNs: 4_000_000_000_000_000_000n,
              content: Buffer.from("young"),
            },
            { path: "link", type: "symlink", linkPath: "old" },
          ]),
        ),
      ),
    );
    const recipe = (tag: string) => `FROM ${registry.address}/base:${tag} AS made
WORKDIR /made/deep
RUN for i in $(seq 60 | sort -R 2>/dev/null || seq 60); do echo $i > f$i; done; ln f1 hard; ln -s f2 soft; mkfifo pipe; mkdir -m 1777 sticky
RUN rm f3; mv f4 moved; chmod 700 /made; rm -rf sticky; mkdir sticky; touch -d '2001-02-03 04:05:06' old; chown 5:6 old
RUN hostname > who; cat /etc/hosts /etc/resolv.conf > /dev/null; env | grep -v ^HOME= | sort > env; pwd > place; id > id
FROM ${registry.address}/base:${tag}
LABEL b=1 a=2
ENV X=1
COPY . /context
COPY --chown=9:9 --chmod=750 sub /sub
ADD packed.tar.gz /unpacked/
COPY --from=made /made /made
COPY <<FILE /text
of the recipe
FILE
RUN --mount=type=cache,target=/cache date > /cache/now && cp -a /context/sub /again
VOLUME /b /a
EXPOSE 80 22
USER 5
CMD ["true"]
`;
    const files = [
      ["sub/z", "z"],
      ["sub/a", "a"],
      ["packed.tar.gz", archive],
      [".dockerignore", "Dockerfile\n"],
    ] as const;
    await using first = await openContext([...files, ["Dockerfile", recipe("one")]], 1_500_000_000);
    // The image below has another name there; the files were written in another order and years later.
    await using second = await openContext(
      [["Dockerfile", recipe("other")], ...files.toReversed()],
      1_700_000_000,
    );

    const one = engineOf(0);
    wanted(await one.hawser(["build", "-q", "-t", `${registry.address}/result:one`, first.path]));
    wanted(await one.hawser(["push", `${registry.address}/result:one`]));

    const other = engineOf(1);
    wanted(await other.docker(["run", "--rm", `${registry.address}/base:other`, "true"]));
    const environment = () => ({ ...process.env, DOCKER_HOST: other.host });
    await using buildx = await openBuildkitClient({ environment }, "sid");
    await buildx.ok("build", "-t", `${registry.address}/result:other`, "--push", second.path);

    const [a, b] = ["one", "other"].map((tag) => registry.manifests.get(`result:${tag}`)?.bytes.toString());
    assert.ok(a !== undefined);
    assert.equal(a, b);
  });

  test("an image is as old as the commit that it was built of, unless somebody says otherwise", async () => {
    const engine = engineOf(0);
    await using dir = await openContext(
      [
        [
          "Dockerfile",
          `FROM ${registry.address}/base:one\nCOPY file /\nRUN echo kept > /kept\nARG SOURCE_DATE_EPOCH\nRUN echo "$SOURCE_DATE_EPOCH" > /epoch\n`,
        ],
        ["file", "1"],
      ],
      1_600_000_000,
    );
    const env = { ...process.env, HOME: dir.path, GIT_CONFIG_NOSYSTEM: "1" };
    const commit = async (seconds: number) => {
      const git = (...args: string[]) =>
        runCommandOk(["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", dir.path, ...args], {
          env: { ...env, GIT_COMMITTER_DATE: `${seconds} +0000` },
        });
      await git("init", "-q");
      await git("add", ".");
      await git("commit", "-q", "--allow-empty", "-m", "x");
    };
    const build = async (args: readonly string[] = [], more: Readonly<Record<string, string>> = {}) => {
      const built = await engine.hawser(["build", "--progress", "plain", "-t", "dated", ...args, dir.path], {
        env: more,
      });
      assert.equal(built.exitCode, 0, built.stderr);
      const [image] = JSON.parse(wanted(await engine.docker(["inspect", "dated"]))) as Inspected[];
      const epoch = wanted(await engine.docker(["run", "--rm", "dated", "cat", "/epoch"])).trim();
      const seconds = Date.parse(textOf(image?.["Created"])) / 1000;
      return { seconds, epoch, id: textOf(image?.["Id"]), log: built.stderr };
    };
    const { id, ...undated } = await build();
    assert.deepEqual([undated.seconds, undated.epoch], [0, ""], "no checkout");

    await commit(1_700_000_000);
    const committed = await build();
    assert.deepEqual([committed.seconds, committed.epoch], [1_700_000_000, "1700000000"]);
    await commit(1_700_000_100);
    const again = await build();
    assert.deepEqual([again.seconds, again.epoch], [1_700_000_100, "1700000100"]);
    assert.match(
      again.log,
      /RUN echo kept > \/kept\n#\d+ CACHED/,
      "a new commit changes what asks for its time only",
    );

    const said = await build(["--build-arg", "SOURCE_DATE_EPOCH=1600000000"]);
    assert.deepEqual([said.seconds, said.epoch], [1_600_000_000, "1600000000"]);
    const exported = await build([], { SOURCE_DATE_EPOCH: "1500000000" });
    assert.deepEqual([exported.seconds, exported.epoch], [1_500_000_000, "1500000000"]);
    const nothing = await build(["--build-arg", "SOURCE_DATE_EPOCH="]);
    assert.deepEqual([nothing.seconds, nothing.epoch], [0, ""], "said to be nothing");

    await writeFile(join(dir.path, "new"), "");
    assert.equal((await build()).id, id, "a changed checkout has no time");
    const refused = await engine.hawser(["build", "--build-arg", "SOURCE_DATE_EPOCH=now", dir.path]);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /invalid SOURCE_DATE_EPOCH: now/);
    wanted(await engine.docker(["rmi", "dated"]));
  });
});
