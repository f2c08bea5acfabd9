import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { useOwnEngine } from "./kit-own-engine.ts";
import { findMounts } from "./kit-proc.ts";
import { runCommandOk } from "./kit-process.ts";

const own = useOwnEngine();
const { ok, refused } = own;

const mounted = () => findMounts(join(own.engine.dataRoot, "volumes"));
const unmounted = () => eventually(() => mounted().length === 0, { what: "nothing is mounted" });
const options = (type: string, device: string, o: string) =>
  ["-o", `type=${type}`, "-o", `device=${device}`, "-o", `o=${o}`] as const;

describe("a volume of a file system in memory", () => {
  test("is there from its first container to its last", async () => {
    await ok("volume", "create", ...options("tmpfs", "tmpfs", "size=3m,uid=77,mode=0750"), "ram");
    assert.deepEqual(mounted(), []);
    await ok("run", "-d", "--name", "one", "-v", "ram:/r", "busybox", "sleep", "1000");
    assert.deepEqual(mounted(), [join(own.engine.dataRoot, "volumes/ram/_data")]);
    assert.match(
      await ok("exec", "one", "sh", "-c", "echo x > /r/f; stat -c '%u %a' /r; df -k /r | tail -1"),
      /^77 750\n.* 3072 /,
    );
    assert.equal(await ok("run", "--rm", "-v", "ram:/r", "busybox", "cat", "/r/f"), "x");
    assert.match(await refused("volume", "rm", "ram"), /volume is in use/);
    await ok("run", "-d", "--name", "two", "-v", "ram:/r:ro", "busybox", "sleep", "1000");
    await ok("rm", "-f", "one");
    assert.equal(await ok("exec", "two", "cat", "/r/f"), "x");
    assert.equal(mounted().length, 1);
    await ok("kill", "two");
    await unmounted();
    assert.equal(await ok("start", "two"), "two");
    assert.equal(await ok("exec", "two", "ls", "/r"), "");
    await ok("rm", "-f", "two");
    await ok("volume", "rm", "ram");
    assert.deepEqual(mounted(), []);
  });

  test("stays mounted for who runs while the engine is dead, and no longer", async () => {
    await ok("volume", "create", ...options("tmpfs", "tmpfs", ""), "stays");
    await ok("volume", "create", ...options("tmpfs", "tmpfs", ""), "goes");
    await ok(
      "run",
      "-d",
      "--name",
      "lives",
      "-v",
      "stays:/r",
      "busybox",
      "sh",
      "-c",
      "echo x > /r/f; sleep 1000",
    );
    await ok("run", "-d", "--name", "dies", "-v", "goes:/r", "busybox", "sleep", "1000");
    const pid = await ok("inspect", "-f", "{{.State.Pid}}", "dies");
    await own.engine.kill();
    process.kill(Number(pid), "SIGKILL");
    assert.equal(mounted().length, 2);
    await eventually(() => own.engine.monitors().length === 1, { what: "its monitor is gone" });
    await own.engine.start();
    assert.deepEqual(mounted(), [join(own.engine.dataRoot, "volumes/stays/_data")]);
    assert.equal(await ok("run", "--rm", "-v", "stays:/r", "busybox", "cat", "/r/f"), "x");
    assert.equal(mounted().length, 1);
    await ok("rm", "-f", "lives", "dies");
    await unmounted();
    await ok("volume", "rm", "stays", "goes");
  });

  test("may have no name, and goes with its container", async () => {
    const mount = `type=volume,dst=/r,volume-opt=type=tmpfs,volume-opt=device=tmpfs,"volume-opt=o=size=1m,uid=5"`;
    assert.match(await ok("run", "--rm", "--mount", mount, "busybox", "stat", "-c", "%u", "/r"), /^5$/);
    await eventually(async () => (await ok("volume", "ls", "-q")) === "", { what: "the volume is gone" });
    await unmounted();
    await eventually(async () => (await readdir(join(own.engine.dataRoot, "volumes"))).length === 0);
  });
});

describe("a volume of a folder of the host", () => {
  test("is that folder, filled from the image when it is empty; it outlives the volume", async () => {
    const host = join(own.folder, "host");
    await mkdir(host);
    await ok("volume", "create", ...options("none", host, "bind"), "bound");
    assert.match(await ok("run", "--rm", "-v", "bound:/etc", "busybox", "ls", "/etc"), /passwd/);
    assert.match(await readFile(join(host, "passwd"), "utf8"), /root/);
    await writeFile(join(host, "own"), "x");
    await ok("create", "--name", "still", "-v", "bound:/etc", "busybox");
    assert.match(await ok("cp", "still:/etc/own", "-"), /own/);
    await ok("rm", "still");
    await unmounted();
    await ok("volume", "create", ...options("none", host, "bind,ro"), "fixed");
    assert.match(await refused("run", "--rm", "-v", "fixed:/h", "busybox", "touch", "/h/x"), /Read-only/);
    await unmounted();
    // An engine that died with it mounted does not take what is in it for the volume's.
    await ok("run", "-d", "--name", "late", "-v", "bound:/h", "busybox", "sleep", "1000");
    const pid = await ok("inspect", "-f", "{{.State.Pid}}", "late");
    await own.engine.kill();
    process.kill(Number(pid), "SIGKILL");
    await eventually(() => own.engine.monitors().length === 0, { what: "its monitor is gone" });
    await own.engine.start();
    await ok("rm", "late");
    await ok("volume", "rm", "bound", "fixed");
    assert.equal(await readFile(join(host, "own"), "utf8"), "x");
  });

  test("that is not there: the start says so, and nothing is left", async () => {
    await ok("volume", "create", ...options("none", join(own.folder, "absent"), "bind"), "lost");
    const { exitCode, stderr } = await own.engine.docker(["run", "--rm", "-v", "lost:/l:nocopy", "busybox"]);
    assert.equal(exitCode, 127);
    assert.match(
      stderr,
      /error while mounting volume '.*\/volumes\/lost\/_data': failed to mount local volume: mount .*\/absent:.*\/lost\/_data, flags: 0x1000: no such file or directory/,
    );
    await ok("volume", "rm", "lost");
  });
});

test("a volume of a disk is that disk's file system", async () => {
  const image = join(own.folder, "disk");
  await runCommandOk(["truncate", "-s", "8M", image]);
  await runCommandOk(["mkfs.ext4", "-q", image]);
  const device = (await runCommandOk(["losetup", "--show", "-f", image])).trim();
  try {
    await ok("volume", "create", ...options("ext4", device, "noatime"), "disk");
    await ok(
      "run",
      "--rm",
      "-v",
      "disk:/d",
      "busybox",
      "sh",
      "-c",
      "echo x > /d/f; grep /d.ext4 /proc/mounts",
    );
    await unmounted();
    assert.equal(await ok("run", "--rm", "-v", "disk:/d", "busybox", "ls", "/d"), "f\nlost+found");
    await unmounted();
    await ok("volume", "rm", "disk");
  } finally {
    await runCommandOk(["losetup", "-d", device]);
  }
});

test("what the kernel cannot mount is told in Docker's words, without the password", async () => {
  await ok("volume", "create", ...options("nosuchfs", "dev", "a=b"), "odd");
  assert.match(
    await refused("run", "--rm", "-v", "odd:/d:nocopy", "busybox"),
    /failed to mount local volume: mount dev:.*, data: a=b: no such device/,
  );
  await ok(
    "volume",
    "create",
    ...options("nosuchfs", "//127.0.0.1/s", "username=u,password=secret"),
    "share",
  );
  const told = await refused("run", "--rm", "-v", "share:/d:nocopy", "busybox");
  assert.match(told, /data: username=u,password=\*{8}: no such device/);
  assert.equal(told.includes("secret"), false);
  await ok("volume", "rm", "odd", "share");
});

test("sizes and uses are told by system df, volumes are found by every filter", async () => {
  await ok("volume", "create", ...options("tmpfs", "tmpfs", ""), "--label", "k=v", "ram");
  await ok("volume", "create", "plain");
  await ok(
    "run",
    "-d",
    "--name",
    "user",
    "-v",
    "ram:/r",
    "busybox",
    "sh",
    "-c",
    "head -c 5000 /dev/zero > /r/f; touch /r/done; sleep 1000",
  );
  await eventually(
    async () => (await own.engine.docker(["exec", "user", "test", "-e", "/r/done"])).exitCode === 0,
  );
  const rows = (
    await ok("system", "df", "-v", "--format", "{{range .Volumes}}{{.Name}} {{.Links}} {{.Size}}\n{{end}}")
  ).split("\n");
  assert.deepEqual(rows.filter((row) => row !== "").toSorted(), ["plain 0 0B", "ram 1 5kB"]);
  const list = async (...filters: readonly string[]) =>
    (await ok("volume", "ls", "-q", ...filters.flatMap((filter) => ["-f", filter]))).split("\n").join(" ");
  assert.equal(await list("dangling=true"), "plain");
  assert.equal(await list("dangling=0"), "ram");
  assert.equal(await list("driver=local"), "plain ram");
  assert.equal(await list("driver=none"), "");
  assert.equal(await list("name=a", "label=k"), "ram");
  assert.equal(await list("label=k=w"), "");
  assert.equal(await list("name=plain", "name=ram"), "plain ram");
  assert.match(await refused("volume", "ls", "-f", "odd=1"), /invalid filter/);
  await ok("rm", "-f", "user");
  await ok("volume", "rm", "plain", "ram");
});
