import { setTimeout as delay } from "node:timers/promises";
import { runtimeFaults } from "../faults.ts";
import type { ContainerCgroup } from "./container-cgroup.ts";

/** Freezing takes as long as the slowest system call in the container; one that is stuck must not hold the caller. */
const deadlineMs = 10_000;

/**
 * Stop every process of a container where it is. Returns when all of them stand still.
 *
 * @throws {Fault} `unavailable` when they do not in time, or the host has no freezer; the container runs on then.
 */
export async function freeze(cgroup: ContainerCgroup): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    // v1 may give up half-way when a process forks meanwhile: asking again goes on.
    if (!(await ask(cgroup, true))) throw runtimeFaults.FREEZER_MISSING();
    if (await isFrozen(cgroup)) return;
    if (performance.now() > deadline) break;
    await delay(2);
  }
  await thaw(cgroup);
  throw runtimeFaults.FREEZER_SLOW(deadlineMs);
}

/** Let the processes of a container go on. One that was never frozen, or is gone, is no error. */
export async function thaw(cgroup: ContainerCgroup): Promise<void> {
  await ask(cgroup, false);
}

/** Whether all of a container's processes stand still because of `freeze`. */
export async function isFrozen(cgroup: ContainerCgroup): Promise<boolean> {
  if (cgroup.mode === "v1") return (await cgroup.read("freezer", "freezer.state"))?.trim() === "FROZEN";
  const [wanted, events] = await Promise.all([
    cgroup.read("freezer", "cgroup.freeze"),
    cgroup.read("freezer", "cgroup.events"),
  ]);
  return wanted?.trim() === "1" && /^frozen 1$/m.test(events ?? "");
}

function ask(cgroup: ContainerCgroup, frozen: boolean): Promise<boolean> {
  if (cgroup.mode === "v2") return cgroup.write("freezer", "cgroup.freeze", frozen ? "1" : "0");
  return cgroup.write("freezer", "freezer.state", frozen ? "FROZEN" : "THAWED");
}
