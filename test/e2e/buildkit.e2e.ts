import assert from "node:assert/strict";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readTar, writeTar } from "@hawser/base";
import { eventually, openTempDir } from "@hawser/base/testing";
import { type BuildkitClient, openBuildkitClient, openFiles, pluginSuites } from "./kit-buildkit.ts";
import { dockerCli } from "./kit-cli.ts";
import { ask } from "./kit-http.ts";
import { startProgram } from "./kit-process.ts";
import { hawserOnly, useTarget } from "./kit-target.ts";

const target = useTarget();

for (const suite of pluginSuites) {
  describe(`buildx and Compose of Debian ${suite}`, hawserOnly, () => {
    let client: BuildkitClient;
    before(async () => {
      client = await openBuildkitClient(target, suite);
    });
    after(() => client[Symbol.asyncDispose]());

    test("a build is what the classic one is, and nothing is done twice", async () => {
      await using dir = await openFiles({
        Dockerfile: `FROM busybox AS made
ARG who=nobody
COPY one two/ /files/
RUN echo "hello $who" > /files/greeting
FROM busybox
LABEL b=2 a=1
COPY --from=made /files /files
CMD ["cat", "/files/greeting", "/files/one"]
`,
        one: "1\n",
        "two/inner": "inner",
        ".dockerignore": "**/*.log\n",
        "two/x.log": "not sent",
      });
      const args = ["--build-arg", `who=${suite}`, "--label", "z=1", "--label", "c=2", dir.path];
      const first = await client.ok("build", "-t", "app:kit", ...args);
      assert.match(first, /\[made 2\/3\] COPY one two\/ \/files\//);
      assert.match(first, /\[stage-1 2\/2\] COPY --from=made/);
      assert.match(first, /naming to docker.io\/library\/app:kit/);
      assert.equal(await target.ok("run", "--rm", "app:kit"), `hello ${suite}\n1\n`);
      assert.equal(await target.ok("run", "--rm", "app:kit", "ls", "/files"), "greeting\ninner\none\n");
      const again = await client.ok("build", "-t", "app:again", ...args);
      assert.equal(again.match(/CACHED/g)?.length, 3);
      const { stdout: classic } = await target.docker(["build", "-q", ...args]);
      assert.match(classic, /^sha256:/);
      for (const name of ["app:kit", "app:again"]) {
        assert.equal((await target.inspect(name))["Id"], classic.trim());
      }
      const filtered = await client.ok("build", "--no-cache-filter", "made", ...args);
      assert.match(filtered, /\[made 3\/3\] RUN [^]*DONE/);
    });

    test("the Dockerfile may come by standard input, and leave its own files out", async () => {
      await using dir = await openFiles({
        "other.Dockerfile": "FROM busybox\nCOPY . /all/\n",
        "other.Dockerfile.dockerignore": "*\n!kept\n",
        kept: "",
        left: "",
      });
      await client.ok("build", "-t", "other:kit", "-f", join(dir.path, "other.Dockerfile"), dir.path);
      assert.equal(await target.ok("run", "--rm", "other:kit", "ls", "/all"), "kept\n");
      const piped = await client.run(["build", "-t", "piped:kit", "-"], {
        input: "FROM busybox\nRUN echo piped > /piped\n",
      });
      assert.equal(piped.exitCode, 0, piped.stderr);
      assert.equal(await target.ok("run", "--rm", "piped:kit", "cat", "/piped"), "piped\n");
    });

    test("what fails says where and why, with its output", async () => {
      await using dir = await openFiles({
        Dockerfile: "FROM busybox\nRUN echo before\nRUN echo last words; exit 3\n",
        unknown: "FROM busybox\nBOGUS x\n",
        missing: "FROM busybox\nCOPY nothing /\n",
        insecure: "FROM busybox\nRUN --security=insecure true\n",
      });
      const failed = await client.run(["build", dir.path]);
      assert.equal(failed.exitCode, 1);
      assert.match(
        failed.stderr,
        /last words[^]*process "\/bin\/sh -c echo last words; exit 3" did not complete successfully: exit code: 3/,
      );
      const unknown = await client.run(["build", "-f", join(dir.path, "unknown"), dir.path]);
      assert.match(unknown.stderr, /unknown instruction: BOGUS/);
      if (suite === "sid") {
        assert.match(failed.stderr, /Dockerfile:3\n-+\n[^]*3 \| >>> RUN echo last words/);
        assert.match(unknown.stderr, /unknown:2\n-+\n[^]*2 \| >>> BOGUS x/);
      }
      const missing = await client.run(["build", "-f", join(dir.path, "missing"), dir.path]);
      assert.match(missing.stderr, /failed to compute cache key: .*"\/nothing": not found/);
      const insecure = await client.run(["build", "-f", join(dir.path, "insecure"), dir.path]);
      assert.match(insecure.stderr, /security.insecure is not allowed/);
    });

    // The older one has no --check.
    if (suite === "sid") {
      test("checks say what is most often a mistake", async () => {
        await using dir = await openFiles({
          Dockerfile: "FROM busybox AS One\nENV a b\nCMD echo\n",
          strict: "# check=error=true\nFROM busybox\nMAINTAINER me\n",
          clean: "FROM busybox AS first\nFROM first AS last\nRUN true\n",
        });
        const checked = await client.run(["build", "--check", dir.path]);
        assert.equal(checked.exitCode, 1);
        assert.match(
          checked.stdout,
          /WARNING: StageNameCasing[^]*Dockerfile:1\n[^]*LegacyKeyValueFormat[^]*JSONArgsRecommended/,
        );
        const built = await client.ok("build", dir.path);
        assert.match(built, /3 warnings found/);
        assert.match(built, /LegacyKeyValueFormat: "ENV key=value" should be used .* \(line 2\)/);
        const strict = await client.run(["build", "-f", join(dir.path, "strict"), dir.path]);
        assert.match(strict.stderr, /lint violation found for rules: MaintainerDeprecated/);
        const clean = ["-f", join(dir.path, "clean"), dir.path];
        assert.match(await client.ok("build", "--check", ...clean), /Check complete, no warnings found/);
        assert.match(await client.ok("build", "--call=targets", ...clean), /first[^]*last \(default\)/);
      });
    }

    test("secrets are there for one step and nowhere else", async () => {
      await using dir = await openFiles({
        Dockerfile:
          "FROM busybox\nRUN --mount=type=secret,id=token,required=true wc -c < /run/secrets/token > /size && ls -l /run/secrets/token\n",
        token: "correct horse battery staple",
        ".dockerignore": "token\n",
      });
      const secret = `id=token,src=${join(dir.path, "token")}`;
      const text = await client.ok("build", "-t", "secret:kit", "--no-cache", "--secret", secret, dir.path);
      assert.match(text, /-r-{8} .*token/);
      assert.equal(await target.ok("run", "--rm", "secret:kit", "cat", "/size"), "28\n");
      const history = await target.ok("history", "--no-trunc", "secret:kit");
      assert.doesNotMatch(text + history, /horse/);
      const archive = join(dir.path, "secret.tar");
      await target.ok("save", "-o", archive, "secret:kit");
      assert.equal((await readFile(archive)).includes("horse"), false);
      const without = await client.run(["build", "--no-cache", dir.path]);
      assert.match(without.stderr, /secret token: not found/);
    });

    test("secrets as variables, and the user's ssh agent, are lent to one step", async () => {
      await using dir = await openFiles({
        Dockerfile: `FROM busybox
RUN --mount=type=secret,id=token,env=TOKEN echo "$TOKEN" | wc -c > /size
RUN --mount=type=ssh,uid=7 ls -ln "$SSH_AUTH_SOCK" && test -S "$SSH_AUTH_SOCK" && test ! -e /run/secrets/token
RUN test -z "$SSH_AUTH_SOCK$TOKEN" && test ! -e /run/buildkit/ssh_agent.0
`,
        token: "correct horse battery staple",
      });
      const agent = createServer();
      const path = join(dir.path, "agent.sock");
      agent.listen(path);
      await once(agent, "listening");
      try {
        const lent = ["--ssh", `default=${path}`, "--secret", `id=token,src=${join(dir.path, "token")}`];
        const text = await client.ok("build", "--no-cache", "-t", "lent:kit", ...lent, dir.path);
        assert.match(text, /srw------- +\d+ 7 /);
        assert.equal(await target.ok("run", "--rm", "lent:kit", "cat", "/size"), "29\n");
        const records = await readFile(join(target.engine().dataRoot, "hawser.db"));
        assert.equal(records.includes("horse battery"), false);
      } finally {
        agent.close();
      }
      const without = await openFiles({
        Dockerfile: "FROM busybox\nRUN --mount=type=ssh,required=true true\n",
      });
      const refused = await client.run(["build", "--no-cache", without.path]);
      await without[Symbol.asyncDispose]();
      assert.match(refused.stderr, /unset ssh forward key default/);
    });

    test("results come as folders and archives", async () => {
      await using dir = await openFiles({
        Dockerfile: `FROM busybox AS made
RUN mkdir -p /out/b.d /out/b && echo x > /out/b/x && echo y > /out/b.d/y && ln -s b/x /out/link && chmod 750 /out/b
RUN dd if=/dev/zero of=/out/big bs=1k count=300 2>/dev/null
FROM scratch
COPY --from=made /out /
`,
      });
      await using out = await openTempDir();
      const place = (name: string) => join(out.path, name);
      await client.ok("build", "-o", place("folder"), dir.path);
      assert.deepEqual((await readdir(place("folder"), { recursive: true })).toSorted(), [
        "b",
        "b.d",
        "b.d/y",
        "b/x",
        "big",
        "link",
      ]);
      assert.equal(await readFile(place("folder/link"), "utf8"), "x\n");
      assert.equal((await readFile(place("folder/big"))).length, 300 << 10);
      await client.ok("build", "-o", `type=tar,dest=${place("tree.tar")}`, dir.path);
      assert.ok((await namesIn(place("tree.tar"))).includes("b.d/y"));
      await client.ok("build", "-o", `type=docker,name=filed:kit,dest=${place("image.tar")}`, dir.path);
      assert.ok((await namesIn(place("image.tar"))).includes("manifest.json"));
    });

    test("what is kept can be seen and thrown away", async () => {
      await using dir = await openFiles({ Dockerfile: `FROM busybox\nRUN echo ${suite} > /kept\n` });
      await client.ok("build", dir.path);
      assert.match(await client.ok("buildx", "du"), /Reclaimable:/);
      // Neither where there is room, nor by a filter that it does not fit.
      await client.ok("buildx", "prune", "-af", "--keep-storage", "100GB");
      await target.ok("builder", "prune", "-af", "--keep-storage", "100GB");
      await target.ok("builder", "prune", "-af", "--filter", "type=exec.cachemount");
      assert.match(await client.ok("build", dir.path), /CACHED/);
      assert.match(await client.ok("buildx", "prune", "-af"), /Total:\s+\d/);
      assert.doesNotMatch(await client.ok("build", dir.path), /CACHED/);
      assert.match(await client.ok("buildx", "ls"), /running/);
    });

    test("bake builds several, Compose builds what it starts", async () => {
      await using dir = await openFiles({
        "compose.yaml": `
services:
  web:
    build: { context: web, args: { V: "1" } }
    command: ["cat", "/v"]
`,
        "web/Dockerfile": "FROM busybox\nARG V\nRUN echo version $V > /v\n",
        "docker-bake.json": JSON.stringify({
          group: { default: { targets: ["one", "two", "three"] } },
          target: {
            one: { context: "web", tags: ["baked:one"] },
            two: { context: "web", args: { V: "2" }, tags: ["baked:two"] },
            three: {
              context: "web",
              contexts: { under: "target:two" },
              "dockerfile-inline":
                "FROM under\nRUN cp /v /w\nFROM scratch\nCOPY --from=under /v /v\nCOPY --from=0 /w /w\n",
              output: [`type=local,dest=${suite}`],
            },
          },
        }),
      });
      const cwd = dir.path;
      const baked = await client.run(["buildx", "bake", "-f", "docker-bake.json"], { cwd });
      assert.equal(baked.exitCode, 0, baked.stderr);
      assert.equal(await target.ok("run", "--rm", "baked:two", "cat", "/v"), "version 2\n");
      assert.deepEqual(await readdir(join(cwd, suite)), ["v", "w"]);
      assert.equal(await readFile(join(cwd, suite, "w"), "utf8"), "version 2\n");
      const compose = (...args: string[]) => client.run(["compose", "-p", `kit${suite}`, ...args], { cwd });
      const up = await compose("up", "--build", "--abort-on-container-exit");
      assert.equal(up.exitCode, 0, up.stderr);
      assert.match(up.stdout, /version 1/);
      await compose("down", "--rmi", "all", "-t", "1");
    });

    test("buildx finds a builder at the engine's address, too", async () => {
      await using dir = await openFiles({ Dockerfile: "FROM busybox\nCOPY here /\n", here: suite });
      await client.ok("buildx", "create", "--name", "direct", "--driver", "remote", target.host());
      const archive = join(dir.path, "image.tar");
      await client.ok(
        "buildx",
        "build",
        "--builder",
        "direct",
        "-o",
        `type=docker,dest=${archive}`,
        dir.path,
      );
      assert.ok((await namesIn(archive)).includes("manifest.json"));
      await client.ok("buildx", "rm", "direct");
    });

    test("several builds of one source at once do its steps once", async () => {
      await using dir = await openFiles({
        Dockerfile: `FROM busybox\nRUN sleep 1; head -c 8 /dev/urandom | od -tx1 > /${suite}\nRUN true\nRUN exit 3\n`,
      });
      const builds = await Promise.all(Array.from({ length: 6 }, () => client.run(["build", dir.path])));
      for (const { exitCode, stderr } of builds) {
        assert.equal(exitCode, 1);
        assert.match(stderr, /exit code: 3/);
      }
      await using made = await openFiles({
        Dockerfile: `FROM busybox\nRUN sleep 1; head -c 8 /dev/urandom | od -tx1 > /${suite}\n`,
      });
      const ids = await Promise.all(
        Array.from({ length: 3 }, () => client.run(["build", "-q", "--no-cache-filter", "x", made.path])),
      );
      assert.equal(new Set(ids.map(({ stdout }) => stdout)).size, 1);
    });

    test("a client that goes away cancels its build", async () => {
      await using dir = await openFiles({ Dockerfile: "FROM busybox\nRUN sleep 1000\n" });
      const build = await startProgram([dockerCli(), "build", dir.path], {
        env: client.environment,
        log: join(dir.path, "log"),
      });
      await eventually(async () => (await target.ok("ps", "-q")) !== "", {
        deadlineMs: 30_000,
        what: "the step runs",
      });
      await build.kill("SIGINT");
      await eventually(async () => (await target.ok("ps", "-aq")) === "", {
        deadlineMs: 30_000,
        what: "the step's container is gone",
      });
    });
  });
}

describe("POST /build?version=2", hawserOnly, () => {
  test("tells of the build in BuildKit's messages", async () => {
    const entries = writeTar([
      { path: "Dockerfile", type: "file", content: Buffer.from("FROM busybox\nCOPY a /a\nRUN cat /a\n") },
      { path: "a", type: "file", content: Buffer.from("content of a") },
    ]);
    const answer = await ask(target.socket(), "POST /build?version=2&t=told", {
      headers: { "content-type": "application/x-tar" },
      body: Buffer.concat(await Array.fromAsync(entries)),
    });
    assert.equal(answer.status, 200);
    const lines = answer.text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { id: string; aux: string & { ID: string } });
    const traces = lines.filter(({ id }) => id === "moby.buildkit.trace");
    const told = traces.map(({ aux }) => Buffer.from(aux, "base64").toString("latin1")).join("");
    assert.match(told, /\[3\/3\] RUN cat \/a[^]*content of a/);
    assert.equal(lines.at(-1)?.id, "moby.image.id");
    assert.equal((await target.inspect("told"))["Id"], lines.at(-1)?.aux.ID);
  });

  test("refuses a session that nobody has opened, and doors that need another protocol", async () => {
    const lost = await ask(target.socket(), "POST /build?version=2&remote=client-session&session=nobody");
    assert.match(lost.text, /no active session for nobody/);
    for (const path of ["/grpc", "/session"]) {
      const refused = await ask(target.socket(), `POST ${path}`);
      assert.equal(refused.status, 400);
      assert.match(refused.text, /h2c/);
    }
  });
});

describe("POST /build/local", hawserOnly, () => {
  test("takes no folder that the client does not see as the engine does", async () => {
    await using dir = await openFiles({ Dockerfile: "FROM busybox\nCOPY . /\n" });
    const { dev, ino } = await stat(dir.path, { bigint: true });
    const seen = { path: dir.path, device: String(dev), inode: String(ino), ignore: [] };
    const from = (context: object) => ({ folders: { context } });
    for (const folder of [
      { ...seen, inode: "1" },
      { ...seen, device: "1" },
      { ...seen, path: join(dir.path, "Dockerfile") },
      { ...seen, path: "relative" },
      { ...seen, path: join(dir.path, "nothing") },
    ]) {
      const refused = await ask(target.socket(), "POST /build/local", { body: from(folder) });
      assert.equal(refused.status, 409, refused.text);
    }
    const invalid = await ask(target.socket(), "POST /build/local", { body: from({ ...seen, ignore: "x" }) });
    assert.equal(invalid.status, 400);
    const source = { filename: "Dockerfile", text: "FROM busybox\nCOPY . /\n" };
    const built = await ask(target.socket(), "POST /build/local", { body: { ...from(seen), source } });
    assert.match(built.text, /"result":/);
  });
});

async function namesIn(archive: string): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { entry } of readTar(createReadStream(archive))) names.push(entry.path.toString());
  return names;
}
