import assert from "node:assert/strict";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { resolveDevices } from "./resolve-devices.ts";
import { makeHostConfig } from "./testing/container-config.ts";

const devices = async (pathOnHost: string, pathInContainer = "", cgroupPermissions = "") =>
  (await resolveDevices(makeHostConfig({ devices: [{ pathOnHost, pathInContainer, cgroupPermissions }] })))
    .mapped;

test("a device by its path, elsewhere inside, with fewer rights", async () => {
  const [zero] = await devices("/dev/zero", "/dev/mine", "r");
  assert.deepEqual(zero, {
    path: "/dev/mine",
    type: "c",
    major: 1,
    minor: 5,
    fileMode: zero?.fileMode,
    uid: 0,
    gid: 0,
    access: "r",
  });
  assert.equal((await devices("/dev/null"))[0]?.access, "rwm");
});

test("a link stands for its device, a folder for all devices in it", async () => {
  await using dir = await openTempDir();
  const link = join(dir.path, "link");
  await symlink("/dev/full", link);
  const [full] = await devices(link, "/dev/full");
  assert.deepEqual([full?.major, full?.minor], [1, 7]);
  const folder = join(dir.path, "folder");
  await symlink("/dev", folder);
  const inside = (await devices(folder, "/dev/all")).map(({ path }) => path);
  assert.ok(inside.includes("/dev/all/null"));
});

test("what is no device is refused in Docker's words", async () => {
  await using dir = await openTempDir();
  const words = (path: string, reason: string) => ({
    kind: "invalid-argument",
    message: `error gathering device information while adding custom device "${path}": ${reason}`,
  });
  await assert.rejects(devices("/dev/nope"), words("/dev/nope", "no such file or directory"));
  await assert.rejects(devices("/etc/passwd"), words("/etc/passwd", "not a device node"));
  await assert.rejects(devices(dir.path), words(dir.path, "not a device node"));
  for (const access of ["x", "rr", "rwmr"]) {
    await assert.rejects(devices("/dev/null", "", access), { message: `invalid device mode: ${access}` });
  }
});

test("limits name block devices by path", async () => {
  const limit = { blkioDeviceReadBps: [{ path: "/dev/null", rate: 1 }] };
  const { numbers } = await resolveDevices(makeHostConfig(limit));
  assert.equal(numbers.get("/dev/null")?.minor, 3);
  await assert.rejects(
    resolveDevices(makeHostConfig({ blkioDeviceReadBps: [{ path: "/dev/nope", rate: 1 }] })),
    {
      kind: "invalid-argument",
    },
  );
});
