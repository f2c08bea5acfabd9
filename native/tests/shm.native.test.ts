import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { buildPrograms, type ContainerOptions, Rig } from "./testing/rig.ts";

let rig: Rig;
before(async () => {
  buildPrograms();
  rig = await Rig.open();
});
after(() => rig[Symbol.asyncDispose]());

const options = "mode=1777,size=1048576";
const bound: Required<Pick<ContainerOptions, "configure">> = {
  configure({ mounts }, dir) {
    mounts.push({ destination: "/dev/shm", type: "bind", source: join(dir, "shm"), options: ["bind"] });
  },
};
const monitorOf = async (container: Parameters<Rig["monitorOf"]>[0]) =>
  (await rig.monitorOf(container))?.["monitor"] ?? "";

test("shared memory is one file system, bounded, and goes with the last who has it", async () => {
  const donor = await rig.run({ args: ["sleep", "1000"], fields: { shm: options }, ...bound });
  const from = { "shm-from": join(donor.dir, "shm"), "shm-monitor": await monitorOf(donor) };
  const joined = await rig.run({
    args: ["sh", "-c", "df -k /dev/shm | tail -1; echo note > /dev/shm/note; exec sleep 1000"],
    fields: from,
    ...bound,
  });
  const reader = await rig.run({
    args: ["sh", "-c", "until cat /dev/shm/note; do sleep 0.02; done 2>/dev/null"],
    fields: from,
    ...bound,
  });
  await rig.expectGone(reader);
  assert.match(await readFile(join(reader.state, "json.log"), "utf8"), /"log":"note\\n"/);
  assert.equal(existsSync(join(donor.dir, "shm/note")), false, "nobody outside sees it");
  await donor.control.command("kill", { signal: 9 });
  await rig.expectGone(donor);
  await joined.control.command("kill", { signal: 9 });
  await rig.expectGone(joined);
  assert.match(await readFile(join(joined.state, "json.log"), "utf8"), /^\{"log":"shm +1024 /);
});

test("what cannot be shared, or makes no sense, is told", async () => {
  const donor = await rig.run({ args: ["sleep", "1000"] });
  const monitor = await monitorOf(donor);
  for (const [fields, stage, message] of [
    [{ shm: "size=nonsense" }, "mount", /^Cannot mount shared memory: Invalid argument$/],
    [{ "shm-from": join(donor.dir, "shm"), "shm-monitor": monitor }, "mount", /No such file or directory$/],
    [{ "shm-from": donor.dir, "shm-monitor": "2147483647" }, "mount", /No such file or directory$/],
    [{ "shm-from": "shm", "shm-monitor": monitor }, "protocol", /a path that is not absolute/],
    [{ "shm-from": donor.dir }, "protocol", /come together/],
    [{ "shm-monitor": monitor }, "protocol", /come together/],
  ] as const) {
    const container = await rig.start({ args: ["true"], fields });
    const failed = await container.control.wait("failed");
    assert.equal(failed["stage"], stage);
    assert.match(failed["message"] ?? "", message);
    assert.equal(await container.control.next(), undefined);
    assert.equal(existsSync(join(container.dir, "shm")), false);
  }
  await donor.control.command("kill", { signal: 9 });
  await rig.expectGone(donor);
});

test("the folder that an older monitor shares is joined as it is", async () => {
  const donor = await rig.run({ args: ["sleep", "1000"] });
  await mkdir(join(donor.dir, "shm"));
  await writeFile(join(donor.dir, "shm/note"), "old");
  const fields = { "shm-from": join(donor.dir, "shm"), "shm-monitor": await monitorOf(donor) };
  const joined = await rig.run({ args: ["cat", "/dev/shm/note"], fields, ...bound });
  await rig.expectGone(joined);
  assert.match(await readFile(join(joined.state, "json.log"), "utf8"), /"log":"old"/);
  assert.equal(await readFile(join(donor.dir, "shm/note"), "utf8"), "old");
  await donor.control.command("kill", { signal: 9 });
  await donor.control.wait("gone");
});
