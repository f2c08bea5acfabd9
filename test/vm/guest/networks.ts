import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { runProgram, runProgramOk } from "@hawser/base";
import { eventually } from "@hawser/base/testing";
import type { Engine } from "./engine.ts";

const sctp = 132;

/**
 * What a host's kernel may lack: SCTP, ipvlan, NFS; and the choice of subnets on a host whose routes and name servers are
 * ours to say.
 */
export function networkTests(engine: Engine): void {
  const ok = (...args: readonly string[]) => engine.ok(...args);
  const sleeper = (name: string, ...flags: readonly string[]) =>
    ok("run", "-d", "--name", name, ...flags, "busybox", "sleep", "100000");
  const canPing = async (from: string, to: string) =>
    (await engine.hawser("exec", from, "ping", "-c", "1", "-W", "5", "-q", to)).exitCode === 0;

  test("subnets keep clear of the host's routes and its name servers", async () => {
    const before = existsSync("/etc/resolv.conf") ? readFileSync("/etc/resolv.conf") : "";
    const choose = async (name: string) => {
      await ok("network", "create", name);
      return await ok("network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", name);
    };
    try {
      const first = await choose("first");
      await ok("network", "rm", "first");
      const second = first.replace(/^172\.(\d+)\./, (_, digits: string) => `172.${Number(digits) - 1}.`);
      await runProgramOk(["ip", "link", "add", "vpn0", "type", "dummy"]);
      await runProgramOk(["ip", "link", "set", "vpn0", "up"]);
      await runProgramOk(["ip", "route", "add", first, "dev", "vpn0"]);
      writeFileSync("/etc/resolv.conf", `nameserver ${second.replace("0.0/16", "9.53")}\n`);
      const chosen = await choose("clear");
      assert.match(first, /^172\.\d+\.0\.0\/16$/);
      assert.ok(chosen !== first && chosen !== second, `${first} ${second} ${chosen}`);
      await runProgramOk(["ip", "link", "delete", "vpn0"]);
      writeFileSync("/etc/resolv.conf", "");
      assert.equal(await choose("again"), first, "what is free again is chosen again");
    } finally {
      writeFileSync("/etc/resolv.conf", before);
      await engine.hawser("network", "rm", "clear", "again");
    }
  });

  test("an interface of the host may have any number", async () => {
    // That of eth0 in containers: hosts have it after a few dozen of them.
    await runProgramOk(["ip", "link", "add", "name", "taken", "index", "64", "type", "dummy"]);
    try {
      for (const [driver, subnet] of [
        ["macvlan", "10.81.5.0/24"],
        ["ipvlan", "10.81.6.0/24"],
      ] as const) {
        await ok("network", "create", "-d", driver, "--subnet", subnet, driver);
        await ok("run", "--rm", "--network", driver, "busybox", "ip", "link", "show", "eth0");
        await ok("network", "rm", driver);
      }
    } finally {
      await runProgramOk(["ip", "link", "delete", "taken"]);
    }
  });

  test("a parent that nobody named, or a VLAN that is not there, is made for the network and goes with it", async () => {
    const links = async () => (await runProgramOk(["ip", "-o", "link"])).stdout;
    await ok("network", "create", "-d", "macvlan", "--subnet", "10.81.2.0/24", "alone");
    const id = await ok("network", "inspect", "-f", "{{.Id}}", "alone");
    await sleeper("one", "--network", "alone");
    await sleeper("two", "--network", "alone");
    assert.equal(await canPing("one", "10.81.2.3"), true);
    assert.doesNotMatch(await ok("exec", "one", "ip", "route"), /default/);
    assert.ok((await links()).includes(`dm-${id.slice(0, 12)}:`));
    await ok("rm", "-f", "one", "two");
    await ok("network", "rm", "alone");
    assert.ok(!(await links()).includes("dm-"));

    await runProgramOk(["ip", "link", "add", "parent0", "type", "dummy"]);
    await runProgramOk(["ip", "link", "set", "parent0", "up"]);
    try {
      const create = (name: string, subnet: string) =>
        ok("network", "create", "-d", "macvlan", "-o", "parent=parent0.50", "--subnet", subnet, name);
      await create("tagged", "10.81.3.0/24");
      await create("beside", "10.81.4.0/24");
      assert.match(await links(), /parent0\.50@parent0:/);
      await sleeper("one", "--network", "beside");
      await sleeper("two", "--network", "beside");
      await ok("network", "rm", "tagged");
      assert.equal(await canPing("one", "10.81.4.3"), true, "the other network has it now");
      await ok("rm", "-f", "one", "two");
      await ok("network", "rm", "beside");
      assert.doesNotMatch(await links(), /parent0\.50/);
    } finally {
      await runProgramOk(["ip", "link", "delete", "parent0"]);
    }
  });

  for (const mode of ["l2", "l3"]) {
    test(`a network of driver ipvlan in mode ${mode} carries traffic`, async () => {
      await runProgramOk(["ip", "link", "add", "parent0", "type", "dummy"]);
      await runProgramOk(["ip", "link", "set", "parent0", "up"]);
      try {
        const flags = ["-d", "ipvlan", "-o", "parent=parent0", "-o", `ipvlan_mode=${mode}`];
        await ok("network", "create", ...flags, "--subnet", "10.81.1.0/24", "ipvlan");
        await sleeper("one", "--network", "ipvlan");
        await sleeper("two", "--network", "ipvlan", "--ip", "10.81.1.77");
        assert.equal(await canPing("one", "10.81.1.77"), true);
        assert.equal(await canPing("two", "10.81.1.2"), true);
        const link = await ok("exec", "one", "cat", "/sys/class/net/eth0/address");
        assert.equal(link, readFileSync("/sys/class/net/parent0/address", "utf8").trim(), "its parent's");
      } finally {
        await engine.hawser("rm", "-f", "one", "two");
        await engine.hawser("network", "rm", "ipvlan");
        await runProgram(["ip", "link", "delete", "parent0"]);
      }
    });
  }

  test("a published port of SCTP carries an association", async () => {
    await sleeper("server", "-p", "28080:80/sctp");
    const pid = await ok("inspect", "-f", "{{.State.Pid}}", "server");
    const serve = `use Socket; socket(S, PF_INET, SOCK_STREAM, ${sctp}) or die; bind(S, sockaddr_in(80, INADDR_ANY)) or die;
    listen(S, 5) or die; while (accept(C, S)) { syswrite C, "served\\n"; close C }`;
    const server = spawn("nsenter", ["-t", pid, "-n", "perl", "-e", serve], { stdio: "ignore" });
    try {
      const gateway = await ok("inspect", "-f", "{{.NetworkSettings.Gateway}}", "server");
      const ask = async (address: string) => {
        const script = `use Socket; socket(S, PF_INET, SOCK_STREAM, ${sctp}) or die; alarm 10;
        connect(S, sockaddr_in(28080, inet_aton("${address}"))) or die $!; sysread S, my $said, 100; print $said`;
        const { stdout, stderr } = await runProgram(["perl", "-e", script]);
        return stdout || stderr;
      };
      await eventually(async () => (await ask(gateway)) === "served\n", {
        deadlineMs: 20_000,
        what: "the server answers",
      });
      assert.equal(await ask("127.0.0.1"), "served\n");
      assert.match(await ok("port", "server"), /^80\/sctp -> 0\.0\.0\.0:28080$/m);
      await ok("rm", "-f", "server");
      assert.match(await ask(gateway), /refused|timed|Alarm|reach/i);
    } finally {
      server.kill("SIGKILL");
      await engine.hawser("rm", "-f", "server");
    }
  });

  test("a volume of NFS is what the server exports, mounted while containers run with it", async () => {
    mkdirSync("/srv/nfs", { recursive: true });
    mkdirSync("/var/lib/nfs/v4recovery", { recursive: true });
    for (const file of ["/etc/exports", "/var/lib/nfs/etab", "/var/lib/nfs/rmtab"]) writeFileSync(file, "");
    writeFileSync("/etc/nfs.conf", "[nfsd]\nvers2=n\nvers3=n\nvers4=y\n"); // which need no further services
    await runProgramOk(["modprobe", "nfsd"]);
    await runProgramOk(["mount", "-t", "nfsd", "nfsd", "/proc/fs/nfsd"]);
    const options = "rw,fsid=0,no_root_squash,insecure,no_subtree_check,sync";
    await runProgramOk(["exportfs", "-o", options, "127.0.0.1:/srv/nfs"]);
    const mountd = spawn("rpc.mountd", ["-F"], { stdio: "ignore" });
    try {
      await runProgramOk(["rpc.nfsd", "1"]);
      writeFileSync("/proc/fs/nfsd/v4_end_grace", "Y");
      const flags = ["-o", "type=nfs", "-o", "device=:/", "-o", "o=addr=localhost,nfsvers=4.2,rw"];
      await ok("volume", "create", ...flags, "shared");
      const script = "grep ' /s ' /proc/mounts; echo through >/s/f";
      assert.match(
        await ok("run", "--rm", "-v", "shared:/s", "busybox", "sh", "-c", script),
        /^:\/ \/s nfs4 /,
      );
      assert.equal(readFileSync("/srv/nfs/f", "utf8"), "through\n");
      writeFileSync("/srv/nfs/g", "of the server");
      assert.equal(await ok("run", "--rm", "-v", "shared:/s:ro", "busybox", "cat", "/s/g"), "of the server");
      await eventually(() => !/ nfs4 /.test(readFileSync("/proc/mounts", "utf8")), {
        what: "it is unmounted",
      });
      await ok("volume", "rm", "shared");
      assert.equal(existsSync("/srv/nfs/g"), true, "what is the server's stays");
    } finally {
      await runProgram(["rpc.nfsd", "0"]);
      mountd.kill("SIGKILL");
    }
  });
}
