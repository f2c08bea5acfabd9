import assert from "node:assert/strict";
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { after, before, describe, test } from "node:test";
import { writeTar } from "@hawser/base";
import { eventually, openTempDir } from "@hawser/base/testing";
import { frontEndArchive } from "../images/front-end.ts";
import { type BuildkitClient, openBuildkitClient, openFiles } from "./kit-buildkit.ts";
import { dockerCli } from "./kit-cli.ts";
import { ask } from "./kit-http.ts";
import { startProgram } from "./kit-process.ts";
import { clients, hawserOnly, runClient, type Target, useTarget } from "./kit-target.ts";

const target = useTarget({ prepare: importFrontEnd });

async function importFrontEnd(into: Target): Promise<void> {
  await using dir = await openTempDir();
  const archive = join(dir.path, "front-end.tar");
  await pipeline(Readable.from(await frontEndArchive()), createWriteStream(archive));
  const capabilities = ["inputs", "subrequests", "contexts"].map((name) => `moby.buildkit.frontend.${name}`);
  const changes = [
    'ENTRYPOINT ["/node", "/front-end.mjs"]',
    `LABEL moby.buildkit.frontend.caps=${capabilities.join(",")}`,
    "LABEL moby.buildkit.frontend.network.none=true",
  ];
  await into.ok("import", ...changes.flatMap((change) => ["--change", change]), archive, "front:kit");
}

describe("front ends that are images", hawserOnly, () => {
  let client: BuildkitClient;
  before(async () => {
    client = await openBuildkitClient(target, "sid");
  });
  after(() => client[Symbol.asyncDispose]());
  const source = (...lines: readonly string[]) =>
    openFiles({ Dockerfile: `${["# syntax=front:kit", ...lines].join("\n")}\n`, other: "other" });
  const told = async (image: string) =>
    JSON.parse(await target.ok("run", "--rm", image, "cat", "/told")) as Record<string, unknown>;
  /** What a build that fails says. */
  const failure = async (line: string, ...args: readonly string[]) => {
    await using dir = await source(`# ${line}`);
    const { exitCode, stderr } = await client.run(["build", ...args, dir.path]);
    assert.equal(exitCode, 1, stderr);
    return stderr;
  };
  /** Containers that builds have left. */
  const left = () => target.ok("ps", "-aq");
  const nothingIsLeft = () =>
    eventually(async () => (await left()) === "", { what: "its containers are gone" });

  test("one builds what it likes, and is told what BuildKit tells", async () => {
    await using dir = await source("# tell");
    const args = ["--build-arg", "greeting=hello", "-t", "told:kit", dir.path];
    const built = await client.ok("build", ...args);
    assert.match(built, /run front end front:kit/);
    assert.match(built, /words of its own/);
    assert.match(built, /a warning of its own/);
    assert.deepEqual(await told("told:kit"), {
      caps: true,
      workers: 1,
      variables: ["hawser", 1, true],
      greeting: "hello",
      cmdline: "front:kit",
      image: true,
      entries: ["sh"],
      stat: ["sh", true],
      missing: true,
    });
    const labels = await target.ok("image", "inspect", "-f", "{{json .Config.Labels}}", "told:kit");
    assert.deepEqual(JSON.parse(labels), { by: "a front end" });
    await using out = await openTempDir();
    await client.ok("buildx", "build", "--provenance", "mode=max", "-o", out.path, ...args);
    const { predicate } = JSON.parse(await readFile(join(out.path, "provenance.json"), "utf8"));
    const steps: { op: { Op: object | null } }[] = predicate.buildConfig.llbDefinition;
    const kinds = steps.flatMap(({ op }) => Object.keys(op.Op ?? { result: true }));
    assert.deepEqual(kinds, ["source", "file", "result"]);
    await nothingIsLeft();
  });

  test("one has the Dockerfile's own build on what it has made", async () => {
    await using dir = await source(
      "# dockerfile",
      "FROM base",
      "ARG who",
      "COPY other /",
      "RUN echo over $who > /over",
      'CMD ["cat", "/under", "/over", "/other"]',
    );
    await client.ok("build", "--build-arg", "who=me", "-t", "over:kit", dir.path);
    assert.equal(await target.ok("run", "--rm", "over:kit"), "under\nover me\nother");
    await using wrong = await source("# dockerfile", "FROM base", "BOGUS");
    const { stderr } = await client.run(["build", wrong.path]);
    assert.match(stderr, /Dockerfile:4\n-+\n[^]*4 \| >>> BOGUS[^]*unknown instruction: BOGUS/);
  });

  test("one runs processes on results", async () => {
    await using dir = await source("# exec");
    await client.ok("build", "-t", "exec:kit", dir.path);
    const { none, ...processes } = await told("exec:kit");
    assert.match(String(none), /container details for none not found/);
    assert.deepEqual(processes, {
      first: [0, "from a result of the input variable\n"],
      second: [5, "/made\nnone\n"],
      killed: 137,
      missing: 255,
    });
    await nothingIsLeft();
  });

  test("the client may name it instead of the source, and give it another place", async () => {
    await using dir = await openFiles({ Dockerfile: "FROM scratch\n# several\n" });
    const given = ["--build-arg", "BUILDKIT_SYNTAX=front:kit", "-t", "given:kit", dir.path];
    await client.ok("build", ...given);
    assert.equal(await target.ok("run", "--rm", "given:kit", "cat", "/told"), "several");
    await using moved = await openFiles({ Dockerfile: "# syntax=moved.example/front\n# several\n" });
    const place = ["--build-context", "moved.example/front=docker-image://front:kit"];
    await client.ok("build", ...place, "-t", "moved:kit", moved.path);
    assert.equal(await target.ok("run", "--rm", "moved:kit", "cat", "/told"), "several");
  });

  test("it is the same for Hawser's client, and for one that sends files with its request", async () => {
    await using dir = await source("# dockerfile", "FROM base", "COPY other /");
    const [hawser] = clients.filter(({ name }) => name === "hawser");
    assert.ok(hawser);
    const built = await runClient(target, hawser, { args: ["build", "-t", "hawser:kit", dir.path] });
    assert.equal(built.exitCode, 0, built.stderr);
    assert.equal(await target.ok("run", "--rm", "hawser:kit", "cat", "/under", "/other"), "under\nother");
    const files = Object.entries({ Dockerfile: "# syntax=front:kit\n# several\n", other: "" });
    const archive = await Array.fromAsync(
      writeTar(files.map(([path, text]) => ({ path, type: "file", content: Buffer.from(text) }))),
    );
    const sent = await ask(target.socket(), "POST /build?version=2&t=sent:kit", {
      headers: { "content-type": "application/x-tar" },
      body: Buffer.concat(archive),
    });
    assert.match(sent.text, /moby.image.id/);
    assert.equal(await target.ok("run", "--rm", "sent:kit", "cat", "/told"), "several");
  });

  test("what goes wrong in it is told", async () => {
    assert.match(await failure("fails"), /the source is not to my liking/);
    assert.match(await failure("exits 3"), /front end front:kit did not complete successfully: exit code: 3/);
    assert.match(await failure("exits"), /front end front:kit ended without a result/);
    await using dir = await openFiles({ Dockerfile: "# syntax=busybox\n" });
    const { stderr } = await client.run(["build", "--call", "outline", dir.path]);
    assert.match(stderr, /unsupported frontend capability moby.buildkit.frontend.subrequests/);
    await nothingIsLeft();
  });

  test("one that means harm gets nothing, and no further than its build", async () => {
    assert.match(await failure("takes 0123456789abcdef"), /no such result "0123456789abcdef"/);
    assert.match(await failure("floods"), /front end front:kit (has broken its connection|did not complete)/);
    await using dir = await source("# hangs");
    const log = join(dir.path, "log");
    const argv = [dockerCli(), "build", dir.path];
    const program = await startProgram(argv, { log, env: client.environment });
    await eventually(async () => (await left()) !== "", { deadlineMs: 30_000, what: "the front end runs" });
    await program.kill("SIGKILL");
    await eventually(async () => (await left()) === "", { deadlineMs: 30_000, what: "it has ended" });
  });
});
