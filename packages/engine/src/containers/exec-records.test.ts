import { deepEqual, equal } from "node:assert/strict";
import { readdir } from "node:fs/promises";
import test from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { Container } from "./container.ts";
import { execDirOf, forgetOldExecs, writeExecRecord } from "./exec-records.ts";
import { type ExecConfig, ExecSession } from "./exec-session.ts";
import type { ContainerHost } from "./host.ts";
import { makeContainerRecord } from "./testing/container-record.ts";

const config: ExecConfig = {
  cmd: ["true"],
  env: [],
  user: "",
  workingDir: "",
  privileged: false,
  tty: false,
  attachStdin: false,
  attachStdout: true,
  attachStderr: true,
  detachKeys: "",
};

test("forgetOldExecs() keeps the newest 256 that ended and all that have not, and removes the files of the others", async () => {
  await using dir = await openTempDir();
  const host = { execRoot: dir.path } as ContainerHost;
  const container = new Container(makeContainerRecord());
  for (let number = 0; number < 260; number++) {
    const session = new ExecSession(`e${number}`, container.id, config);
    writeExecRecord(host, session);
    container.execs.set(session.id, session);
    if (number > 0) session.settle(0);
  }
  await forgetOldExecs(host, container);
  equal(container.execs.size, 257);
  deepEqual(
    ["e0", "e1", "e3", "e4"].map((id) => container.execs.has(id)),
    [true, false, false, true],
  );
  equal((await readdir(execDirOf(host, container.id))).length, 257);
});
