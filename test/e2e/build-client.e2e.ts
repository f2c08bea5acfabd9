import assert from "node:assert/strict";
import { once } from "node:events";
import { lstat, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { writeTar } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { openFiles } from "./kit-buildkit.ts";
import { requireIdleAfterEach } from "./kit-idle.ts";
import { type CommandOptions, runCommand } from "./kit-process.ts";
import { clients, hawserOnly, useTarget } from "./kit-target.ts";

describe("hawser build", hawserOnly, () => {
  const target = useTarget();
  requireIdleAfterEach(() => target.engine());

  const build = async (args: readonly string[], options: CommandOptions = {}) =>
    await target.engine().hawser(["build", ...args], options);
  const ok = async (args: readonly string[], options?: CommandOptions) => {
    const result = await build(args, options);
    assert.equal(result.exitCode, 0, `${args.join(" ")}\n${result.stdout}\n${result.stderr}`);
    return result;
  };

  test("lends secrets and an ssh agent to one step, and nothing of them stays", async () => {
    await using dir = await openFiles({
      Dockerfile: `FROM busybox AS made
RUN --mount=type=secret,id=file --mount=type=secret,id=VARIABLE,env=V cat /run/secrets/file | wc -c > /size && echo $V | wc -c >> /size
RUN --mount=type=ssh test -S "$SSH_AUTH_SOCK"
FROM scratch
COPY --from=made /size /
`,
      file: "correct horse",
      ".dockerignore": "file\n",
    });
    const agent = createServer().listen(join(dir.path, "agent"));
    await once(agent, "listening");
    try {
      const lent = ["--secret", `id=file,src=${join(dir.path, "file")}`, "--secret", "id=VARIABLE"];
      const args = [
        ...lent,
        "--ssh",
        `default=${join(dir.path, "agent")}`,
        "-o",
        join(dir.path, "out"),
        dir.path,
      ];
      await ok(args, { env: { VARIABLE: "battery staple" } });
    } finally {
      agent.close();
    }
    assert.equal(await readFile(join(dir.path, "out/size"), "utf8"), "13\n15\n");
    // Neither in layers, images, records and keys nor in what processes leave, or in the log.
    const engine = target.engine();
    const { exitCode, stdout } = await runCommand([
      "grep",
      "-rlaE",
      "-Dskip",
      "correct horse|battery staple",
      engine.dataRoot,
      engine.execRoot,
    ]);
    assert.deepEqual([exitCode, stdout], [1, ""]);
    assert.doesNotMatch(engine.log(), /correct horse|battery staple/);
  });

  test("writes results as folders, archives, ids and metadata", async () => {
    await using dir = await openFiles({ Dockerfile: "FROM scratch\nCOPY a /b/a\n", a: "a\n" });
    await using out = await openTempDir();
    const place = (name: string) => join(out.path, name);
    const files = ["--iidfile", place("id"), "--metadata-file", place("metadata")];
    const { stdout } = await ok(["-q", "-t", "results:1", ...files, dir.path]);
    assert.equal(await readFile(place("id"), "utf8"), stdout.trim());
    const metadata = JSON.parse(await readFile(place("metadata"), "utf8"));
    assert.equal(metadata["containerimage.config.digest"], stdout.trim());
    assert.equal(await target.ok("image", "inspect", "-f", "{{.Id}}", "results:1"), stdout);
    await ok(["-o", place("folder"), "-o", `type=oci,dest=${place("image.tar")}`, dir.path]);
    assert.deepEqual((await readdir(place("folder"), { recursive: true })).toSorted(), ["b", "b/a"]);
    assert.ok((await lstat(place("image.tar"))).size > 1000);
    const piped = await ok(["-o", "-", dir.path]);
    assert.match(piped.stdout, /b\/a\0[^]*ustar/);
    await target.ok("rmi", "results:1");
  });

  test("takes its files from wherever the user says", async () => {
    const dockerfile = "FROM scratch\nCOPY . /\n";
    await using dir = await openFiles({ a: "1", "sub/b": "2", ".dockerignore": "sub\n" });
    await using out = await openTempDir();
    let count = 0;
    const listed = async (args: readonly string[], options?: CommandOptions) => {
      const place = join(out.path, `listed-${count++}`);
      await ok(["-q", "-o", place, ...args], options);
      return (await readdir(place, { recursive: true })).toSorted();
    };
    assert.deepEqual(await listed(["-f", "-", dir.path], { input: dockerfile }), [".dockerignore", "a"]);
    const more = "FROM scratch\nCOPY --from=more . /\nCOPY a /c\n";
    const context = ["--build-context", `more=${join(dir.path, "sub")}`];
    assert.deepEqual(await listed(["-f", "-", ...context, dir.path], { input: more }), ["b", "c"]);
    const archive = Buffer.concat(
      await Array.fromAsync(
        writeTar([
          { path: "x/Recipe", type: "file", content: Buffer.from(dockerfile) },
          { path: "y", type: "file", content: Buffer.from("y") },
        ]),
      ),
    );
    const given = { input: archive };
    assert.deepEqual(await listed(["-f", "x/Recipe", "-"], given), ["x", "x/Recipe", "y"]);
    const alone = "FROM busybox AS b\nRUN mkdir /d && touch /d/e\nFROM scratch\nCOPY --from=b /d /\n";
    assert.deepEqual(await listed(["-"], { input: alone }), ["e"]);
    // In another mount namespace another folder is there: the files are sent.
    await using other = await openFiles({ elsewhere: "3", Dockerfile: dockerfile });
    const place = join(out.path, "elsewhere");
    const script = `mount --bind "$1" "$2" && shift 2 && exec "$@"`;
    const argv = [...(clients.at(-1)?.argv ?? []), "build", "-q", "-o", place, dir.path];
    const { exitCode, stderr } = await runCommand(
      ["unshare", "--mount", "sh", "-c", script, "sh", other.path, dir.path, ...argv],
      { env: { ...target.environment(), HAWSER_RESIDENT: "0" } },
    );
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual((await readdir(place)).toSorted(), ["Dockerfile", "elsewhere"]);
  });

  test("tells what goes on, and of a failure where it is and what it printed", async () => {
    await using dir = await openFiles({ Dockerfile: "FROM busybox\nRUN echo told && exit 7\n" });
    const failed = await build(["--progress", "plain", dir.path]);
    assert.equal(failed.exitCode, 1);
    assert.match(failed.stderr, /#\d+ \[2\/2\] RUN echo told && exit 7\n#\d+ \d+\.\d{3} told\n/);
    assert.match(
      failed.stderr,
      /------\n > \[2\/2\] RUN echo told && exit 7:\n\d+\.\d{3} told\n------\nDockerfile:2\n-+\n {3}1 \| {5}FROM busybox\n {3}2 \| >>> RUN[^]*ERROR: failed to build: failed to solve: process "\/bin\/sh -c echo told && exit 7" did not complete successfully: exit code: 7\n$/,
    );
    const raw = await build(["--progress", "rawjson", dir.path]);
    const names = raw.stderr
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .flatMap((line) => (JSON.parse(line).vertexes ?? []) as readonly { readonly name: string }[])
      .map(({ name }) => name);
    assert.ok(names.includes("[2/2] RUN echo told && exit 7"));
    assert.match((await build(["--progress", "tty", dir.path])).stderr, /no terminal/);
    await writeFile(join(dir.path, "Dockerfile"), "from busybox AS x\n");
    const checked = await build(["--check", dir.path]);
    assert.equal(checked.exitCode, 1);
    assert.match(checked.stdout, /1 warning has been found!\n\nWARNING: FromAsCasing[^]*Dockerfile:1/);
    assert.match((await ok(["--call", "targets", dir.path])).stdout, /x \(default\)/);
  });
});
