import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { root } from "../../tools/tree.ts";
import { runCommand } from "./kit-process.ts";
import { openStub, type Stub } from "./kit-stub.ts";
import { hawserOnly, useTarget } from "./kit-target.ts";
import { openTerminal } from "./kit-terminal.ts";

const composition = `
name: plugged
services:
  web:
    image: busybox
    command: sh -c 'trap "exit 0" TERM; while :; do sleep 0.1; done'
`;

/** Docker's own Compose and buildx, as `hawser compose` and `hawser buildx`. */
describe("plugins of Docker's client", hawserOnly, () => {
  const target = useTarget();
  const resources = new AsyncDisposableStack();
  let stub: Stub;
  let environment: Readonly<Record<string, string | undefined>>;
  let folder: string;
  const call = (args: readonly string[]) =>
    runCommand([...stub.argv, ...args], { cwd: folder, env: environment, timeoutMs: 120_000 });
  const ok = async (...args: readonly string[]) => {
    const { exitCode, stdout, stderr } = await call(args);
    assert.equal(exitCode, 0, stderr);
    return stdout;
  };

  before(async () => {
    const dir = resources.use(await openTempDir());
    stub = resources.use(await openStub());
    await stub.openResident();
    folder = join(dir.path, "project");
    await mkdir(folder);
    await symlink(join(root, "build/docker-plugins/sid"), join(dir.path, "cli-plugins"));
    await writeFile(join(folder, "compose.yaml"), composition);
    await writeFile(join(folder, "Dockerfile"), "FROM busybox\nRUN echo built >/words\n");
    environment = { ...target.environment(), ...stub.env, DOCKER_CONFIG: dir.path, COMPOSE_ANSI: "never" };
  });
  after(() => resources.disposeAsync());

  test("compose brings a project up and down; exit codes are the plugin's", async () => {
    await ok("compose", "up", "-d");
    assert.match(await ok("ps", "--format", "{{.Names}}"), /^plugged-web-1$/m);
    assert.equal((await call(["compose", "exec", "-T", "web", "sh", "-c", "exit 7"])).exitCode, 7);
    await ok("compose", "down");
    assert.doesNotMatch(await ok("ps", "-a", "--format", "{{.Names}}"), /plugged/);
  });

  test("buildx builds by the engine", async () => {
    await ok("buildx", "build", "--load", "-t", "plugged", ".");
    assert.equal(await ok("run", "--rm", "plugged", "cat", "/words"), "built\n");
  });

  test("the terminal is the plugin's", async () => {
    await ok("compose", "up", "-d");
    const file = join(folder, "compose.yaml");
    const argv = [...stub.argv, "compose", "-f", file, "exec", "web", "tty"];
    await using terminal = await openTerminal(argv, { env: environment });
    await terminal.shows(/\/dev\/pts\/\d+/);
    assert.equal(await terminal.ended, 0);
    await ok("compose", "down");
  });

  test("help and shells know them", async () => {
    assert.match(await ok("--help"), /^ {2}compose\* {4}Docker Compose$/m);
    assert.match(await ok("__complete", "compose", "u"), /^up\b/m);
    assert.match(await ok("help", "buildx"), /^Usage: .*buildx/m);
  });
});
