import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { eventually, openTempDir } from "@hawser/base/testing";
import { findProgram } from "./kit-cli.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { type Answer, ask } from "./kit-http.ts";
import { requireIdleAfterEach, wordOf } from "./kit-idle.ts";
import { findProcesses } from "./kit-proc.ts";
import { againstDockerd } from "./kit-target.ts";

/**
 * Somebody dies while the OCI runtime is at work: it is a program that waits for a file before it becomes crun, so the
 * moment is always the same one.
 */
describe("a death in the middle of a start", { skip: againstDockerd }, () => {
  const resources = new AsyncDisposableStack();
  let dir = "";
  let opened: TestEngine | undefined;
  const engine = () => {
    assert.ok(opened);
    return opened;
  };
  before(async () => {
    dir = resources.use(await openTempDir("hawser-e2e-slow-")).path;
    const began = `echo $$ >${dir}/began.new; mv ${dir}/began.new ${dir}/began`;
    const wait = `while [ ! -e ${dir}/go ]; do sleep 0.02; done`;
    const script = `#!/bin/sh\ncase " $* " in *" run "*) ${began}; ${wait}; test ! -e ${dir}/fail || exit 1;; esac\nexec ${findProgram("crun")} "$@"\n`;
    await writeFile(join(dir, "crun"), script, { mode: 0o755 });
    opened = resources.use(await openEngine({ flags: ["--add-runtime", `slow=${join(dir, "crun")}`] }));
    assert.equal(
      (await ask(engine().socket, "POST /images/create?fromImage=busybox&tag=latest")).status,
      200,
    );
  });
  after(() => resources.disposeAsync());
  requireIdleAfterEach(engine);
  beforeEach(async () => {
    for (const file of ["began", "go", "fail"]) await rm(join(dir, file), { force: true });
  });

  const tell = (file: string) => writeFile(join(dir, file), "");
  const create = async (HostConfig: object = {}) => {
    const body = { Image: "busybox", Cmd: ["sleep", "1000"], HostConfig };
    const created = await ask(engine().socket, "POST /containers/create", { body });
    assert.equal(created.status, 201, created.text);
    return wordOf(created.json()["Id"]);
  };
  const start = (id: string) => ask(engine().socket, `POST /containers/${id}/start`);
  const inspect = async (id: string) => {
    const found = (await ask(engine().socket, `GET /containers/${id}/json`)).json();
    return { state: found["State"], address: wordOf(found["NetworkSettings"]?.["IPAddress"]) };
  };
  const remove = async (...ids: readonly string[]) => {
    for (const id of ids) {
      assert.equal((await ask(engine().socket, `DELETE /containers/${id}?force=1`)).status, 204);
    }
  };
  /** A start that nobody answers yet: the runtime is at work. */
  const beginStart = async (id: string): Promise<{ readonly answer: Promise<Answer | undefined> }> => {
    const answer = start(id).catch(() => undefined);
    await eventually(() => existsSync(join(dir, "began")), { what: "the runtime is at work" });
    return { answer };
  };
  const isSlowRuntime = ({ command }: { readonly command: string }) =>
    command.startsWith(`/bin/sh ${dir}/crun`);

  test("the engine's: the container starts all the same, and is known with its address", async () => {
    const id = await create({ Runtime: "slow" });
    const { answer } = await beginStart(id);
    await engine().kill();
    assert.equal(await answer, undefined);
    await tell("go");
    await eventually(() => findProcesses(isSlowRuntime).length === 0, {
      what: "the runtime has done its work",
    });
    await engine().start();
    const { state, address } = await inspect(id);
    assert.equal(state?.["Running"], true);
    const others = await Promise.all(Array.from({ length: 20 }, () => create()));
    for (const other of others) assert.equal((await start(other)).status, 204);
    const addresses = await Promise.all([id, ...others].map(async (each) => (await inspect(each)).address));
    assert.match(address, /^\d+\./);
    assert.equal(
      new Set(addresses).size,
      addresses.length,
      `an address for each, not ${addresses.join(", ")}`,
    );
    await remove(id, ...others);
  });

  test("the engine's: the next one answers at once, however long the runtime takes", async () => {
    const id = await create({ Runtime: "slow" });
    const another = await create();
    await beginStart(id);
    await engine().kill();
    await engine().start();
    assert.equal((await start(another)).status, 204);
    await tell("go");
    await eventually(async () => (await inspect(id)).state?.["Running"] === (true as never));
    await remove(id, another);
  });

  for (const when of ["before", "after"] as const) {
    test(`the engine's, and the start fails ${when} the next one comes: the container can be started, or is gone with --rm`, async () => {
      const id = await create({ Runtime: "slow" });
      const selfRemoving = await create({ Runtime: "slow", AutoRemove: true });
      await beginStart(id);
      await rm(join(dir, "began"));
      await beginStart(selfRemoving);
      await engine().kill();
      if (when === "after") await engine().start();
      await tell("fail");
      await tell("go");
      await eventually(() => engine().monitors().length === 0, { what: "both starts have failed" });
      if (when === "before") await engine().start();
      await eventually(async () => (await inspect(selfRemoving)).state === undefined, {
        what: "--rm is gone",
      });
      assert.equal((await inspect(id)).state?.["Running"], false);
      await rm(join(dir, "fail"));
      assert.equal((await start(id)).status, 204);
      await remove(id);
    });
  }

  test("the monitor's: the start fails, and what it had begun ends", async () => {
    const id = await create({ Runtime: "slow" });
    const { answer } = await beginStart(id);
    for (const pid of engine().monitors()) process.kill(pid, "SIGKILL");
    const refused = await answer;
    assert.ok((refused?.status ?? 0) >= 500, refused?.text);
    await eventually(() => findProcesses(isSlowRuntime).length === 0, { what: "the runtime is gone" });
    await tell("go");
    assert.equal((await inspect(id)).state?.["Running"], false);
    assert.equal((await start(id)).status, 204, "it can be started");
    await remove(id);
  });

  test("the launcher's: the start goes on", async () => {
    const id = await create({ Runtime: "slow" });
    const { answer } = await beginStart(id);
    for (const pid of engine().launchers()) process.kill(pid, "SIGKILL");
    await tell("go");
    assert.equal((await answer)?.status, 204);
    assert.equal((await inspect(id)).state?.["Running"], true);
    await remove(id);
  });
});
