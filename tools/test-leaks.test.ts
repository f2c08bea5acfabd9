import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { changesOf, takeSnapshot } from "./test-leaks.ts";

const options = { scope: "run", runId: "leaks-of-this-test", deadlineMs: 0 } as const;

test("a process that carries the mark of the run is reported until it ends", async () => {
  const before = takeSnapshot(options);
  const child = spawn("sleep", ["1000"], { env: { HAWSER_TEST_RUN: options.runId, PATH: "/usr/bin:/bin" } });
  await once(child, "spawn");
  try {
    assert.match(
      (await changesOf(before, { ...options, deadlineMs: 0 })).join(),
      /^process \d+: sleep 1000$/,
    );
  } finally {
    child.kill("SIGKILL");
    await once(child, "close");
  }
  assert.deepEqual(await changesOf(before, { ...options, deadlineMs: 1000 }), []);
});

test("a temporary folder that stays is reported by name", async () => {
  const machine = { ...options, scope: "machine" } as const;
  const before = takeSnapshot(machine);
  const folder = await mkdtemp(join(tmpdir(), "hawser-leak-"));
  try {
    const found = await changesOf(before, machine);
    assert.ok(found.includes(`temporary folder ${folder.slice(tmpdir().length + 1)}`), found.join("\n"));
  } finally {
    await rm(folder, { recursive: true });
  }
});
