import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { writeTar } from "@hawser/base";
import { type BuildkitClient, openBuildkitClient, openFiles } from "./kit-buildkit.ts";
import { openFilesServer } from "./kit-files-server.ts";
import { openRepository, type TestRepository } from "./kit-git.ts";
import { clients, hawserOnly, runClient, textOf, useTarget } from "./kit-target.ts";

describe("files that are not with the client", hawserOnly, () => {
  const target = useTarget();
  let client: BuildkitClient;
  let repository: string;
  let git: TestRepository["git"];
  const resources = new AsyncDisposableStack();

  before(async () => {
    client = resources.use(await openBuildkitClient(target, "sid"));
    const opened = resources.use(await openRepository());
    git = (...args) => opened.git(...args);
    repository = opened.address;
    const work = opened.folder;
    await mkdir(join(work, "part"), { recursive: true });
    await writeFile(join(work, "Dockerfile"), "FROM busybox\nCOPY version /version\n");
    await writeFile(join(work, "version"), "one\n");
    await writeFile(join(work, "part/Dockerfile"), "FROM busybox\nCOPY . /part\n");
    await writeFile(join(work, "part/file"), "of the part\n");
    await git("add", ".");
    await git("commit", "-q", "-m", "one");
    await git("tag", "v1");
    await writeFile(join(work, "version"), "two\n");
    await git("commit", "-q", "-am", "two");
  });
  after(() => resources.disposeAsync());

  const run = (name: string, ...command: string[]) => target.ok("run", "--rm", name, ...command);

  test("a repository is a context: its newest commit, a tag, a part of it", async () => {
    await client.ok("build", "-t", "remote:kit", repository);
    assert.equal(await run("remote:kit", "cat", "/version"), "two\n");
    await client.ok("build", "-t", "remote:kit", `${repository}#v1`);
    assert.equal(await run("remote:kit", "cat", "/version"), "one\n");
    const committed = Number((await git("show", "-s", "--format=%ct", "v1")).trim()) * 1000;
    assert.equal(Date.parse(textOf((await target.inspect("remote:kit"))["Created"])), committed);
    await client.ok("build", "-t", "remote:kit", `${repository}#main:part`);
    assert.equal(await run("remote:kit", "ls", "-A", "/part"), "Dockerfile\nfile\n");
    const commit = (await git("rev-parse", "HEAD~1")).trim();
    for (const own of clients.filter(({ name }) => name !== "Debian's docker")) {
      const args = ["build", "-t", "remote:kit", `${repository}#${commit}`];
      const { exitCode, stderr } = await runClient(target, own, { args });
      assert.equal(exitCode, 0, stderr);
      assert.equal(await run("remote:kit", "cat", "/version"), "one\n");
      await target.ok("rmi", "remote:kit");
    }
  });

  test("an address may have a login", async () => {
    await using server = await openFilesServer();
    server.files.set("/file", "of the net\n");
    const address = server.address.replace("://", "://us%40er:word@");
    await using dir = await openFiles({ Dockerfile: `FROM busybox\nADD ${address}/file /told\n` });
    await client.ok("build", "-t", "login:kit", dir.path);
    assert.equal(await run("login:kit", "cat", "/told"), "of the net\n");
    const login = `Basic ${Buffer.from("us@er:word").toString("base64")}`;
    assert.equal(server.seen.at(-1)?.headers.authorization, login);
  });

  test("repositories that are parts of one come with it", async () => {
    await using part = await openRepository();
    await writeFile(join(part.folder, "file"), "of a part\n");
    await part.git("add", ".");
    await part.git("commit", "-q", "-m", "one");
    await using whole = await openRepository();
    await writeFile(join(whole.folder, "Dockerfile"), "FROM busybox\nCOPY . /all\n");
    await whole.git("submodule", "--quiet", "add", part.address, "deep/part");
    await whole.git("add", ".");
    await whole.git("commit", "-q", "-m", "one");
    const shown = async (...args: string[]) => {
      await client.ok("build", "-t", "parts:kit", ...args, whole.address);
      return await run("parts:kit", "find", "/all", "-maxdepth", "3", "-type", "f");
    };
    const files = ["/all/.gitmodules", "/all/Dockerfile", "/all/deep/part/file"];
    assert.deepEqual((await shown()).trim().split("\n").toSorted(), files);
    const kept = await shown("--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1");
    assert.match(kept, /\/all\/\.git\/HEAD/);
    assert.match(kept, /\/all\/deep\/part\/file/);
  });

  test("ADD takes a repository, with its history when that is asked for", async () => {
    await using context = await openFiles({
      Dockerfile: `FROM busybox\nADD ${repository}#v1 /plain\nADD --keep-git-dir ${repository} /whole\n`,
    });
    await client.ok("build", "-t", "added:kit", context.path);
    assert.equal(await run("added:kit", "cat", "/plain/version", "/whole/version"), "one\ntwo\n");
    assert.equal(
      await run("added:kit", "sh", "-c", "ls -d /plain/.git /whole/.git 2>/dev/null || true"),
      "/whole/.git\n",
    );
    assert.match(await client.ok("build", context.path), /ADD .*\n#\d+ CACHED/);
  });

  test("what the remote does not have, and what would be a command, is refused in plain words", async () => {
    for (const [place, words] of [
      [`${repository}#nothing`, /failed to fetch remote .*nothing/s],
      [`${repository}/away`, /failed to fetch remote/],
      [`${repository}#--upload-pack=touch`, /begins with -/],
    ] as const) {
      const { exitCode, stderr } = await client.run(["build", place]);
      assert.equal(exitCode, 1);
      assert.match(stderr, words);
    }
  });

  test("an address may give an archive, or a Dockerfile", async () => {
    const files: Readonly<Record<string, Buffer>> = {
      "/context.tar": Buffer.concat(
        await Array.fromAsync(
          writeTar([
            { path: "Dockerfile", type: "file", content: Buffer.from("FROM busybox\nCOPY a /a\n") },
            { path: "a", type: "file", content: Buffer.from("from an archive\n") },
          ]),
        ),
      ),
      "/Dockerfile": Buffer.from("FROM busybox\nRUN echo alone > /a\n"),
    };
    const server = createHttpServer((request, response) => {
      const body = files[request.url ?? ""];
      response.writeHead(body === undefined ? 404 : 200).end(body);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      for (const [path, text] of [
        ["/context.tar", "from an archive\n"],
        ["/Dockerfile", "alone\n"],
      ] as const) {
        await client.ok("build", "-t", "fetched:kit", address + path);
        assert.equal(await run("fetched:kit", "cat", "/a"), text);
      }
      const missing = await client.run(["build", `${address}/nothing`]);
      assert.match(missing.stderr, /status 404/);
    } finally {
      server.close();
    }
  });

  test("the engine's proxy is asked for files, too", async () => {
    await using proxy = await openFilesServer();
    const rootfs = await Array.fromAsync(
      writeTar([{ path: "a", type: "file", content: Buffer.from("imported\n") }]),
    );
    proxy.files.set("http://files.example/a", "by proxy\n");
    proxy.files.set("http://files.example:6000/rootfs.tar", Buffer.concat(rootfs)); // a port that browsers refuse
    await target.engine().stop();
    await target.engine().start(["--http-proxy", proxy.address]);
    await using context = await openFiles({ Dockerfile: "FROM busybox\nADD http://files.example/a /a\n" });
    await target.ok("build", "-t", "proxied:kit", context.path);
    assert.equal(await run("proxied:kit", "cat", "/a"), "by proxy\n");
    await target.ok("import", "http://files.example:6000/rootfs.tar", "imported:kit");
    assert.match(await target.ok("create", "imported:kit", "x"), /^[0-9a-f]{64}$/m);
    const missing = await target.docker(["import", "http://files.example/nothing"]);
    assert.match(missing.stderr, /Get "http:\/\/files\.example\/nothing": status 404 Not Found/);
  });
});
