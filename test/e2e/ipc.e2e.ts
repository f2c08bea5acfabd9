import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { findLeftovers } from "./kit-idle.ts";
import { findProcesses } from "./kit-proc.ts";
import { hawserOnly, useTarget } from "./kit-target.ts";

/** IPC namespaces and the shared memory that goes with them. */
const target = useTarget();

const inside = async (name: string, script: string) =>
  (await target.ok("exec", name, "sh", "-c", script)).trimEnd().split("\n");
const offer = (name: string, ...flags: readonly string[]) =>
  target.ok("run", "-d", "--name", name, "--ipc", "shareable", ...flags, "busybox", "sleep", "1000");
const joining = (name: string, partner: string) =>
  target.ok("run", "-d", "--name", name, "--ipc", `container:${partner}`, "busybox", "sleep", "1000");
const remove = (...names: readonly string[]) => target.ok("rm", "-f", ...names);

/** Type and flags of the mount, without those that only some kernels tell; its size in KiB. */
const sizeOf = `awk '$2 == "/dev/shm" { sub(",inode64", "", $4); print $3, $4 }' /proc/mounts; df -k /dev/shm | awk 'END { print $2 }'`;
const small = ["tmpfs rw,nosuid,nodev,noexec,relatime,size=3072k", "3072"];
const tooMuch =
  "dd if=/dev/zero of=/dev/shm/much bs=1M count=4 2>&1 | grep -o 'No space.*'; rm /dev/shm/much";

describe("a namespace that may be shared", () => {
  test("has bounded memory, the same for all who share it", async () => {
    await offer("donor", "--shm-size", "3m");
    await joining("one", "donor");
    await joining("two", "one"); // of whom it joins, not of whom that has joined
    const namespaces = new Set<string>();
    const names = ["donor", "one", "two"];
    for (const name of names) {
      const [namespace = "", ...rest] = await inside(
        name,
        `readlink /proc/self/ns/ipc; ${sizeOf}; ${tooMuch}; stat -c %a:%u /dev/shm; echo > /dev/shm/of-${name}`,
      );
      assert.deepEqual(rest, [...small, "No space left on device", "1777:0"], name);
      namespaces.add(namespace);
    }
    assert.equal(namespaces.size, 1);
    for (const name of names) {
      assert.deepEqual(await inside(name, "ls /dev/shm"), ["of-donor", "of-one", "of-two"], name);
    }
    await remove("donor", "one", "two");
  });

  test("has 64 MB when nobody says otherwise", async () => {
    await offer("plain");
    assert.deepEqual((await inside("plain", sizeOf)).slice(1), ["65536"]);
    await remove("plain");
  });

  test("stays with those who have joined, and begins anew with its owner", async () => {
    await offer("owner");
    await joining("guest", "owner");
    await inside("guest", "echo kept > /dev/shm/note");
    await target.ok("restart", "-t", "0", "owner");
    assert.deepEqual(await inside("guest", "cat /dev/shm/note"), ["kept"]);
    assert.deepEqual(await inside("owner", "ls /dev/shm | wc -l"), ["0"]);
    await target.ok("restart", "-t", "0", "guest");
    await inside("owner", "echo new > /dev/shm/note");
    assert.deepEqual(await inside("guest", "cat /dev/shm/note"), ["new"]);
    await remove("owner", "guest");
  });

  test("is joined and left whatever dies", hawserOnly, async () => {
    const engine = target.engine();
    await offer("donor", "--shm-size", "3m");
    await inside("donor", "echo kept > /dev/shm/note");
    await engine.kill();
    await engine.start();
    await joining("late", "donor");
    for (const pid of engine.launchers()) process.kill(pid, "SIGKILL");
    await joining("later", "late");
    const first = Number((await target.inspect("donor"))["State"]?.["Pid"]);
    const [donor] = findProcesses(({ pid }) => pid === first);
    assert.ok(donor !== undefined && engine.monitors().includes(donor.parent));
    process.kill(donor.parent, "SIGKILL");
    await target.ok("wait", "donor");
    const refused = await target.docker(["run", "--rm", "--ipc", "container:donor", "busybox", "true"]);
    assert.match(refused.stderr, /cannot join namespace of a non running container/);
    await inside("late", "echo more >> /dev/shm/note");
    assert.deepEqual(await inside("later", `cat /dev/shm/note; ${sizeOf}`), ["kept", "more", ...small]);
    await target.ok("start", "donor");
    assert.deepEqual(await inside("donor", "ls /dev/shm | wc -l"), ["0"]);
    await remove("donor", "late", "later");
    await eventually(async () => (await findLeftovers(engine)).length === 0, { what: "nothing is left" });
  });
});
