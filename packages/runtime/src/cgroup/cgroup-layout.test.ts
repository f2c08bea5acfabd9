import assert from "node:assert/strict";
import { test } from "node:test";
import { cgroupsOf, parseCgroupLayout } from "./cgroup-layout.ts";

const v2 =
  "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot";
const hybrid = `23 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:5 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
90 23 0:32 / /elsewhere/memory rw,relatime - cgroup cgroup rw,memory
`;

test("a unified host has one hierarchy", () => {
  assert.deepEqual(parseCgroupLayout(v2), { mode: "v2", mountPoints: ["/sys/fs/cgroup"] });
});

test("a hybrid host counts as v1: a cgroup for each hierarchy with controllers or a name, each once", () => {
  assert.deepEqual(parseCgroupLayout(hybrid), {
    mode: "v1",
    mountPoints: ["/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/systemd"],
  });
});

test("systemd's name alone beside a unified hierarchy does not make it v1", () => {
  const named = "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd";
  assert.equal(parseCgroupLayout(`${named}\n${v2}`).mode, "v2");
});

test("mount points with blanks are read as they are", () => {
  const spaced = "30 23 0:26 / /my\\040cgroups rw - cgroup2 none rw";
  assert.deepEqual(parseCgroupLayout(spaced).mountPoints, ["/my cgroups"]);
});

test("a container's cgroups", () => {
  const layout = parseCgroupLayout(hybrid);
  assert.deepEqual(cgroupsOf(layout, { parent: "/hawser", id: "abc" }), {
    path: "/hawser/abc",
    folders: [
      "/sys/fs/cgroup/cpu,cpuacct/hawser/abc",
      "/sys/fs/cgroup/memory/hawser/abc",
      "/sys/fs/cgroup/systemd/hawser/abc",
    ],
  });
  assert.equal(cgroupsOf(layout, { parent: "../..", id: "abc" }).path, "/abc");
});
