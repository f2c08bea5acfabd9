import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type BuildkitClient, openBuildkitClient, openFiles } from "./kit-buildkit.ts";
import { openFilesServer } from "./kit-files-server.ts";
import { openRepository } from "./kit-git.ts";
import { againstDockerd, hawserOnly, useTarget } from "./kit-target.ts";

describe("what a build is given by name", () => {
  const target = useTarget();
  let client: BuildkitClient;
  before(async () => {
    client = await openBuildkitClient(target, "sid");
  });
  after(() => client[Symbol.asyncDispose]());

  /** Build, and print a file of the result. */
  const built = async (dockerfile: string, args: readonly string[], path = "/told") => {
    await using dir = await openFiles({ Dockerfile: dockerfile, context: "of the context\n" });
    await client.ok("build", "--no-cache", "-t", "given:kit", ...args, dir.path);
    return await target.ok("run", "--rm", "given:kit", "cat", path);
  };

  test("a context is what the Dockerfile calls so: an image with its tag, a stage, a base", async () => {
    await using folder = await openFiles({ told: "of the folder\n", left: "", ".dockerignore": "left\n" });
    await using dir = await openFiles({ Dockerfile: "FROM busybox\nRUN echo other > /told\n" });
    await client.ok("build", "-t", "other:kit", dir.path);
    const image = (name: string) => ["--build-context", `${name}=docker-image://other:kit`];
    assert.equal(await built("FROM busybox:latest\nRUN cat /told\n", image("busybox")), "other\n");
    assert.equal(await built("FROM docker.io/library/busybox\nRUN cat /told\n", image("busybox")), "other\n");
    assert.equal(await built("FROM busybox AS base\nRUN rm /bin/ls\nFROM base\n", image("base")), "other\n");
    const files = ["--build-context", `files=${folder.path}`];
    const onFolder = "FROM files\nCOPY --from=busybox /bin /bin\n";
    assert.equal(await built(onFolder, files), "of the folder\n");
    // It has a `.dockerignore` of its own.
    assert.equal(
      await built("FROM busybox\nRUN --mount=from=files,target=/m ls -A /m > /told\n", files),
      ".dockerignore\ntold\n",
    );
  });

  test("a repository is one, and a folder of the client's beside a repository", hawserOnly, async () => {
    await using repository = await openRepository();
    await using folder = await openFiles({ told: "of the folder\n" });
    const source = "FROM busybox\nCOPY --from=files told /told\nCOPY own .git* /own/\n";
    await writeFile(join(repository.folder, "Dockerfile"), source);
    await writeFile(join(repository.folder, "own"), "own\n");
    await repository.git("add", ".");
    await repository.git("commit", "-q", "-m", "one");
    const { address } = repository;
    const git = ["--build-context", `repository=${address}#main`];
    assert.equal(await built("FROM busybox\nCOPY --from=repository own /told\n", git), "own\n");
    const build = async (...args: string[]) =>
      await client.run(["buildx", "build", "-t", "git:kit", ...args]);
    const beside = ["--build-context", `files=${folder.path}`];
    const kept = ["--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1"];
    const { exitCode, stderr } = await build(...beside, ...kept, address);
    assert.equal(exitCode, 0, stderr);
    const shown = await target.ok("run", "--rm", "git:kit", "sh", "-c", "cat /told; ls -A /own");
    assert.match(shown, /of the folder\n(?:.*\n)*HEAD\n/);
    const commit = (await repository.git("rev-parse", "HEAD")).trim();
    assert.equal((await build(...beside, `${address}?ref=main&checksum=${commit}`)).exitCode, 0);
    const other = await build(...beside, `${address}?ref=main&checksum=${"ab".repeat(20)}`);
    assert.match(other.stderr, /expected checksum to match abab/);
    assert.match((await build(...beside, `${address}?odd=1`)).stderr, /unexpected query "odd"/);
  });

  test("bake hands on a result of each platform", { skip: againstDockerd }, async () => {
    const platforms = ["linux/amd64", "linux/arm64"];
    await using dir = await openFiles({
      file: "",
      "docker-bake.json": JSON.stringify({
        target: {
          low: {
            "dockerfile-inline": "FROM scratch\nARG TARGETARCH\nCOPY file /of-$TARGETARCH\n",
            platforms,
          },
          high: {
            contexts: { low: "target:low" },
            "dockerfile-inline": "FROM low\nCOPY file /high\n",
            platforms,
            output: ["type=local,dest=out"],
          },
        },
      }),
    });
    const { exitCode, stderr } = await client.run(["buildx", "bake", "high"], { cwd: dir.path });
    assert.equal(exitCode, 0, stderr);
    for (const machine of ["amd64", "arm64"]) {
      assert.deepEqual((await readdir(join(dir.path, "out", `linux_${machine}`))).toSorted(), [
        "high",
        `of-${machine}`,
      ]);
    }
  });

  test("proxies have both names, a process its host's name and the stage that is wanted", async () => {
    const args = ["HTTPS_PROXY=http://p", "no_proxy=n", "BUILDKIT_SANDBOX_HOSTNAME=box"];
    const source = `FROM busybox
ENV no_proxy=of-the-image
ARG TARGETSTAGE
RUN echo $https_proxy $HTTPS_PROXY $NO_PROXY $no_proxy $TARGETSTAGE $(hostname) $(env | grep -c ^HOSTNAME=) > /told
`;
    const told = await built(
      source,
      args.flatMap((arg) => ["--build-arg", arg]),
    );
    assert.equal(told, "http://p http://p n n default box 0\n");
  });

  test("host names are there, on the host's network too; host-gateway is an address", async () => {
    const hosts = ["--add-host", "one.test:10.1.2.3", "--add-host", "gateway.test:host-gateway"];
    const source = "FROM busybox\nRUN grep '[.]test' /etc/hosts > /told\n";
    for (const network of ["none", "host"]) {
      const told = await built(source, [...hosts, "--network", network]);
      assert.match(told, /^10\.1\.2\.3\s+one\.test\n[\d.]+\s+gateway\.test\n$/);
    }
    const run = ["run", "--rm", "--network", "host", "--add-host", "one.test:10.1.2.3", "busybox"];
    assert.match(await target.ok(...run, "cat", "/etc/hosts"), /^10\.1\.2\.3\s+one\.test$/m);
  });

  test("of a mount's place nothing stays, nor of the folders above it", async () => {
    await using dir = await openFiles({ secret: "x" });
    const source = `FROM busybox
RUN mkdir /kept
RUN --mount=type=secret,id=s --mount=type=cache,target=/kept/a/b chmod 700 /kept && echo > /told
RUN ls -d /run /kept/* > /told 2>&1; stat -c %a /kept >> /told
`;
    const told = await built(source, ["--secret", `id=s,src=${join(dir.path, "secret")}`]);
    assert.match(told, /\/run: No such file[^]*\/kept\/\*: No such file[^]*\n700\n$/);
  });

  test("a prune may have bounds, and conditions that no result has fit none", async () => {
    await built("FROM busybox\nRUN echo kept > /told\n", []);
    const bounds = ["--max-used-space", "100GB", "--min-free-space", "1", "--reserved-space", "1"];
    assert.match(await client.ok("buildx", "prune", "-f", ...bounds), /Total:/);
    assert.match(await client.ok("buildx", "prune", "-af", "--filter", "odd=1"), /Total:\s+0B/);
  });

  test(
    "a Dockerfile may be at an address, or come by standard input beside a repository",
    hawserOnly,
    async () => {
      await using repository = await openRepository();
      await using server = await openFilesServer();
      const source = "FROM busybox\nCOPY own /told\n";
      server.files.set("/there", source);
      await writeFile(join(repository.folder, "own"), "own\n");
      await repository.git("add", ".");
      await repository.git("commit", "-q", "-m", "one");
      const ways = [
        { args: ["-f", "-", repository.address], input: source },
        { args: ["-f", `${server.address}/there`, repository.folder] },
      ];
      for (const { args, ...options } of ways) {
        const { exitCode, stderr } = await client.run(
          ["buildx", "build", "-t", "apart:kit", ...args],
          options,
        );
        assert.equal(exitCode, 0, stderr);
        assert.equal(await target.ok("run", "--rm", "apart:kit", "cat", "/told"), "own\n");
        await target.ok("rmi", "apart:kit");
      }
    },
  );

  // The front end in dockerd 28.5 has no such flag yet.
  test(
    "COPY --parents keeps the folders of its sources, from /./ on, and --exclude sees them",
    hawserOnly,
    async () => {
      await using dir = await openFiles({
        "x/y/a.txt": "a",
        "x/y/b.txt": "b",
        "x/z/c.txt": "c",
        "x/ü/d.txt": "d",
        "x/ü/e.txt": "e",
        Dockerfile: `FROM busybox AS other
RUN mkdir -p /deep/er && touch /deep/er/file
FROM busybox
COPY --parents ./x/./y/*.txt x/z/c.txt /many/
COPY --parents ./x/./*/c.txt /wild/
COPY --parents x/./y /folder/
COPY --parents --from=other /deep/./er/file /stage/
COPY --parents --exclude=x/y/b.txt --exclude=x/z --exclude=x/ü/d.txt x /without/
COPY --parents --exclude=*/b.txt x/./y /inner/
COPY --parents --exclude=x/z/c.txt x/[yz]/*.txt /each/
RUN find many wild folder stage without inner each -type f | sort > /told
`,
      });
      await client.ok("build", "--no-cache", "-t", "given:kit", dir.path);
      assert.deepEqual((await target.ok("run", "--rm", "given:kit", "cat", "/told")).trim().split("\n"), [
        "each/x/y/a.txt",
        "each/x/y/b.txt",
        "folder/y/a.txt",
        "folder/y/b.txt",
        "inner/y/a.txt",
        "many/x/z/c.txt",
        "many/y/a.txt",
        "many/y/b.txt",
        "stage/er/file",
        "wild/z/c.txt",
        "without/x/y/a.txt",
        "without/x/ü/e.txt",
      ]);
    },
  );
});
