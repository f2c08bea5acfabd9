import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { ContainerRig, statusField } from "../testing/container-rig.ts";
import { defaultCapabilities, parseCapabilityMask } from "./capabilities.ts";

let rig: ContainerRig;
before(async () => {
  rig = await ContainerRig.open();
});
after(async () => {
  await rig[Symbol.asyncDispose]();
});

const sorted = (names: readonly string[]) => names.toSorted();
const capabilitiesIn = (output: string, set: string) =>
  sorted(parseCapabilityMask(statusField(output, set) ?? "0"));

test("a plain container: Docker's capabilities and policy, an environment, a name, nothing of the host to write", async () => {
  const { output, code } = await rig.run(`
    cat /proc/self/status; env; hostname; id
    echo x > /proc/sys/kernel/hostname && echo "sysctl written"
    echo "keys:$(cat /proc/keys 2>/dev/null)"
    echo "firmware:$(ls /sys/firmware)"
    mkdir /sys/x 2>/dev/null && echo "sysfs written"
    mount -t tmpfs x /mnt 2>/dev/null && echo "mounted"
    unshare -U true 2>/dev/null && echo "unshared"
    stat -c "shm:%a" /dev/shm; echo "links:$(ls /sys/class/net)"
    exit 7`);
  assert.equal(code, 7);
  for (const set of ["CapEff", "CapPrm", "CapBnd"]) {
    assert.deepEqual(capabilitiesIn(output, set), sorted(defaultCapabilities), set);
  }
  for (const set of ["CapInh", "CapAmb"]) assert.deepEqual(capabilitiesIn(output, set), [], set);
  assert.equal(statusField(output, "Seccomp"), "2");
  assert.equal(statusField(output, "NoNewPrivs"), "0");
  for (const line of ["HOSTNAME=box", "HOME=/root", "box", "keys:", "firmware:", "shm:1777", "links:lo"]) {
    assert.match(output, new RegExp(`^${line}$`, "m"));
  }
  assert.match(output, /^PATH=\/usr\/local\/sbin:.*:\/bin$/m);
  assert.match(output, /^uid=0\(root\) gid=0\(root\) groups=0\(root\)/m);
  assert.doesNotMatch(output, /written|mounted|unshared/);
});

test("the mounts are Docker's", async () => {
  const { output } = await rig.run("cut -d' ' -f5-6 /proc/self/mountinfo");
  for (const mount of [
    "/proc rw,nosuid,nodev,noexec,relatime",
    "/dev rw,nosuid",
    "/dev/pts rw,nosuid,noexec,relatime",
    "/dev/shm rw,nosuid,nodev,noexec,relatime",
    "/dev/mqueue rw,nosuid,nodev,noexec,relatime",
    "/sys ro,nosuid,nodev,noexec,relatime",
    "/proc/sys ro,relatime",
  ]) {
    assert.ok(output.split("\n").includes(mount), `${mount} is missing in\n${output}`);
  }
});

test("a user: ids, groups, home, no capabilities", async () => {
  const { output } = await rig.run(
    "cat /proc/self/status; id; env; touch /etc/x 2>/dev/null && echo touched",
    {
      config: { user: "alice" },
      hostConfig: { groupAdd: ["4242"] },
    },
  );
  assert.match(output, /^uid=1000\(alice\) gid=1000\(alice\) groups=.*10\(wheel\).*4242/m);
  assert.match(output, /^HOME=\/home\/alice$/m);
  assert.deepEqual(capabilitiesIn(output, "CapEff"), []);
  assert.deepEqual(capabilitiesIn(output, "CapBnd"), sorted(defaultCapabilities));
  assert.doesNotMatch(output, /touched/);
});

test("capabilities dropped and added, no new privileges", async () => {
  const { output } = await rig.run("cat /proc/self/status", {
    hostConfig: { capDrop: ["ALL"], capAdd: ["CHOWN", "SYS_ADMIN"], securityOpt: ["no-new-privileges"] },
  });
  assert.deepEqual(capabilitiesIn(output, "CapEff"), ["CAP_CHOWN", "CAP_SYS_ADMIN"]);
  assert.equal(statusField(output, "NoNewPrivs"), "1");
});

test("a read-only root with a tmpfs and binds", async () => {
  const { output } = await rig.run(
    `touch /x 2>/dev/null && echo "root written"
     touch /run/a && echo "tmpfs written"; grep " /run " /proc/self/mountinfo
     touch /data/b && echo "bind written"; touch /fixed/c 2>/dev/null && echo "fixed written"
     touch /dev/shm/d && echo "shm written"; ls /fixed`,
    {
      hostConfig: {
        readonlyRootfs: true,
        tmpfs: { "/run": "size=1m" },
        binds: [`${rig.root}/exec:/fixed:ro`, `${rig.root}/lower/home:/data`],
      },
    },
  );
  for (const what of ["tmpfs", "bind", "shm"]) assert.match(output, new RegExp(`^${what} written$`, "m"));
  for (const what of ["root", "fixed"]) assert.doesNotMatch(output, new RegExp(`^${what} written$`, "m"));
  assert.match(output, /size=1024k/);
  assert.match(output, /^launcher\.sock$/m);
});

test("limits of memory, processes, processors, files", async () => {
  const { output } = await rig.run(
    `cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory.max 2>/dev/null | head -1
     cat pids/pids.max pids.max 2>/dev/null | head -1
     ulimit -n; cat /proc/self/oom_score_adj`,
    {
      hostConfig: {
        memoryBytes: 32 << 20,
        pidsLimit: 33,
        nanoCpus: 5e8,
        ulimits: [{ name: "nofile", soft: 111, hard: 222 }],
        oomScoreAdj: 100,
      },
    },
  );
  assert.equal(output, `${32 << 20}\n33\n111\n100\n`);
});

test("a container that wants more memory than it has is killed, and says so", async () => {
  const { monitor } = await rig.start({
    config: { cmd: ["sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=40"] },
    hostConfig: { memoryBytes: 16 << 20, memorySwapBytes: 16 << 20 },
  });
  const oom = Promise.withResolvers<void>();
  monitor.onOom(oom.resolve);
  await oom.promise;
  const exit = await monitor.exited;
  assert.equal(exit.oom, true);
  assert.notEqual(exit.code, 0);
});

test("a privileged container: all that the host can give, devices, and mounts of its own", async () => {
  const { output } = await rig.run(
    `cat /proc/self/status; mkdir /m; mount -t tmpfs x /m && echo mounted
     ls /dev/loop0; echo "masked:$(grep -c ' /proc/keys ' /proc/self/mountinfo)"`,
    { hostConfig: { privileged: true } },
  );
  assert.deepEqual(capabilitiesIn(output, "CapEff"), sorted(rig.host.capabilities));
  assert.equal(statusField(output, "Seccomp"), "0");
  assert.match(output, /^mounted$/m);
  assert.match(output, /^\/dev\/loop0$/m);
  assert.match(output, /^masked:0$/m);
});

test("a device that was given can be used, another one not even with its node made", async () => {
  const script = `
    dd if=/dev/mine of=/dev/null bs=1 count=1 2>/dev/null && echo "mine read"
    mknod /tmpnode c 1 1 && dd if=/tmpnode of=/dev/null bs=1 count=1 2>/dev/null && echo "other read"; true`;
  const { output } = await rig.run(
    `busybox ls -l /dev/mine >&2; ${script.replaceAll("mknod", "busybox mknod")}`,
    {
      hostConfig: {
        devices: [{ pathOnHost: "/dev/zero", pathInContainer: "/dev/mine", cgroupPermissions: "r" }],
      },
    },
  );
  assert.match(output, /^mine read$/m);
  assert.doesNotMatch(output, /other read/);
});

test("an init process comes first, hands signals on and reaps", async () => {
  const { output, code } = await rig.run("ps; (true &); exit 3", { hostConfig: { init: true } });
  assert.match(output, /^\s*1 root .*docker-init/m);
  assert.equal(code, 3);
});

test("a seccomp policy of one's own is the one that counts", async () => {
  const policy = JSON.stringify({
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 5 }],
  });
  const { output } = await rig.run("mkdir /x; grep Seccomp: /proc/self/status; true", {
    hostConfig: { securityOpt: [`seccomp=${policy}`] },
  });
  assert.match(output, /can't create directory '\/x': (?:Input\/output|I\/O) error/);
  assert.equal(statusField(output, "Seccomp"), "2");
  const { output: unconfined } = await rig.run("grep Seccomp: /proc/self/status", {
    hostConfig: { securityOpt: ["seccomp=unconfined"] },
  });
  assert.equal(statusField(unconfined, "Seccomp"), "0");
});

test("namespaces of another container are joined: its processes and its shared memory are seen", async () => {
  const shmPath = `${rig.root}/shm`;
  await mkdir(shmPath, { mode: 0o1777 });
  const first = await rig.start({
    config: { cmd: ["sh", "-c", "echo hidden > /dev/shm/note; exec sleep 1000"] },
    hostConfig: { ipcMode: "shareable" },
    input: { shmPath },
  });
  const { pid } = await first.monitor.started;
  await eventually(() => existsSync(`${shmPath}/note`));
  const { output } = await rig.run(
    "ps; cat /dev/shm/note; hostname; grep ' /dev/shm ' /proc/self/mountinfo",
    {
      config: { hostname: "second" },
      hostConfig: { pidMode: "container:x", ipcMode: "container:x", networkMode: "container:x" },
      input: {
        namespacePaths: {
          pid: `/proc/${pid}/ns/pid`,
          ipc: `/proc/${pid}/ns/ipc`,
          network: `/proc/${pid}/ns/net`,
        },
        shmPath,
      },
    },
  );
  assert.match(output, /sleep 1000/);
  assert.match(output, /^hidden$/m);
  assert.match(output, /^second$/m);
  assert.match(output, / \/dev\/shm rw,nosuid,nodev,noexec/);
});

test("the host's namespaces", async () => {
  const { output } = await rig.run("ps | grep -c hawser-launcher; ls /sys/class/net", {
    hostConfig: { pidMode: "host", networkMode: "host", utsMode: "host", ipcMode: "host" },
  });
  assert.match(output, /^[1-9]/);
});

test("a working folder that the image does not have is made; sysctls are set", async () => {
  const { output } = await rig.run(
    "pwd; cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/core/somaxconn /proc/sys/kernel/domainname",
    {
      config: { workingDir: "/not/there/yet", domainname: "example.org" },
      hostConfig: { sysctls: { "net.core.somaxconn": "77" } },
    },
  );
  assert.equal(output, "/not/there/yet\n0\n77\nexample.org\n");
});

test("runc understands the same specification", async () => {
  const { output, code } = await rig.run("cat /proc/self/status; hostname; exit 4", {
    start: { runtime: "/usr/sbin/runc", runtimeDelete: true },
  });
  assert.equal(code, 4);
  assert.deepEqual(capabilitiesIn(output, "CapEff"), sorted(defaultCapabilities));
  assert.equal(statusField(output, "Seccomp"), "2");
});
