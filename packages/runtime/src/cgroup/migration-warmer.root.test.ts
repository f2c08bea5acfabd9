import { equal } from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { eventually } from "@hawser/base/testing";
import { parseCgroupLayout } from "./cgroup-layout.ts";
import { MigrationWarmer } from "./migration-warmer.ts";

test("warm() leaves this process in the cgroups that it was in", async () => {
  const before = await readFile("/proc/self/cgroup", "utf8");
  const layout = parseCgroupLayout(await readFile("/proc/self/mountinfo", "utf8"));
  let clock = 0;
  const warmer = await MigrationWarmer.open({ layout, now: () => (clock += 1000) });
  const writesBefore = await countWrites();
  for (let round = 0; round < 5; round++) warmer.warm();
  await eventually(async () => (await countWrites()) >= writesBefore + 5, { what: "five writes" });
  equal(await readFile("/proc/self/cgroup", "utf8"), before);
});

/** write(2) calls of this process so far. */
async function countWrites(): Promise<number> {
  return Number(/^syscw: (\d+)$/m.exec(await readFile("/proc/self/io", "utf8"))?.[1]);
}
