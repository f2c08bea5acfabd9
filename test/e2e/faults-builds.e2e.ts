import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { writeTar } from "@hawser/base";
import { eventually, openTempDir } from "@hawser/base/testing";
import { openRaw } from "./kit-http.ts";
import { requireIdleAfterEach } from "./kit-idle.ts";
import { againstDockerd, useTarget } from "./kit-target.ts";

describe("builds that do not end by themselves", { skip: againstDockerd }, () => {
  const target = useTarget();
  requireIdleAfterEach(() => target.engine());

  /** A build that waits in its second step, whose client the test holds. */
  async function beginBuild() {
    const dockerfile = "FROM busybox\nRUN echo kept > /kept\nRUN sleep 1000\n";
    const entries = writeTar([{ path: "Dockerfile", type: "file", content: Buffer.from(dockerfile) }]);
    const body = Buffer.concat(await Array.fromAsync(entries));
    const client = openRaw(
      target.socket(),
      `POST /build?t=never HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    client.socket.write(body);
    await client.until((text) => /Step 3\/3[^]*Running in/.test(text));
    const id = /Step 3\/3[^]*Running in ([0-9a-f]{12})/.exec(client.received())?.[1] ?? "";
    await eventually(async () => (await target.ok("ps", "-q")).includes(id), { what: "the step runs" });
    return client;
  }

  const nothingLeft = async () => {
    await eventually(async () => (await target.ok("ps", "-aq")) === "", {
      deadlineMs: 60_000,
      what: "the build's container is gone",
    });
    const folder = join(target.engine().dataRoot, "builds");
    for (const name of ["context", "run"]) {
      const left = () => readdir(join(folder, name)).catch(() => []);
      await eventually(async () => (await left()).length === 0, { what: `the folders in ${name} are gone` });
    }
  };

  test("a client that goes away cancels its build, and what was done is kept", async () => {
    const client = await beginBuild();
    client.socket.destroy();
    await nothingLeft();
    assert.match(await target.ok("system", "df", "--format", "{{.Type}} {{.TotalCount}}"), /Build Cache 1/);
    assert.doesNotMatch(await target.ok("images"), /never/);
  });

  test("an engine that is killed while it builds leaves nothing, and builds again", async () => {
    const client = await beginBuild();
    await target.engine().kill();
    client.socket.destroy();
    await target.engine().start();
    await nothingLeft();
    await using dir = await openTempDir();
    await writeFile(join(dir.path, "Dockerfile"), "FROM busybox\nRUN echo kept > /kept\nRUN cat /kept\n");
    const { exitCode, stderr } = await target.engine().hawser(["build", "-t", "again", dir.path]);
    assert.equal(exitCode, 0, stderr);
    assert.match(stderr, /CACHED[^]*kept/);
    await target.ok("rmi", "again");
    await target.ok("builder", "prune", "-f");
  });
});
