import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { openTempDir } from "@hawser/base/testing";
import { getXattr } from "./index.ts";
import type { ConfinedReport } from "./testing/confined-worker.ts";

test("a worker that confines itself is in its folder until it is released; the rest of the process stays free", async () => {
  await using folder = await openTempDir();
  const worker = new Worker(new URL("./testing/confined-worker.ts", import.meta.url), {
    workerData: folder.path,
  });
  const exited = once(worker, "exit");
  const [report] = (await once(worker, "message")) as [ConfinedReport];
  await exited;
  const inside = ["climb", "made"];
  assert.deepEqual(
    {
      ...report,
      folder: report.folder.toSorted(),
      workingFolder: report.workingFolder.toSorted(),
      climbed: report.climbed.toSorted(),
      again: report.again.toSorted(),
    },
    {
      folder: inside,
      workingFolder: inside,
      climbed: inside,
      outside: "ENOENT",
      attributes: ["trusted.hawser"],
      attribute: "on the link",
      missingAttribute: undefined,
      device: statSync("/dev/null").rdev,
      released: ["/", "/", readlinkSync("/proc/self/ns/mnt")],
      again: ["file", "null"],
    },
  );
  assert.equal(readlinkSync("/proc/self/root"), "/");
  assert.equal(readFileSync(join(folder.path, "made/file"), "utf8"), "x");
  assert.ok(readdirSync("/").includes("proc"));
  const onLink = getXattr(join(folder.path, "climb"), "trusted.hawser");
  assert.equal(onLink && Buffer.from(onLink).toString(), "on the link");
});
