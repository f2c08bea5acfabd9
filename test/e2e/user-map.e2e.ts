import assert from "node:assert/strict";
import { chmod, chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { readTar } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { hawserOnly } from "./kit-target.ts";

/** Containers whose root is nobody on the host: `userns-remap`. */
const first = 100_000;

describe("userns-remap", hawserOnly, () => {
  let resources: AsyncDisposableStack;
  let engine: TestEngine;
  let folder: string;

  before(async () => {
    resources = new AsyncDisposableStack();
    const dir = resources.use(await openTempDir());
    folder = dir.path;
    // What root of a container reaches, everybody on the host does.
    await chmod(folder, 0o711);
    const ranges = join(folder, "ranges");
    await writeFile(ranges, `nobody:${first}:65536\n`);
    // An /etc of its own, in which somebody has ids to give.
    const script = [
      `cp -a /etc ${folder}/etc`,
      `cp ${ranges} ${folder}/etc/subuid`,
      `cp ${ranges} ${folder}/etc/subgid`,
      `mount --bind ${folder}/etc /etc`,
      'exec "$@"',
    ].join(" && ");
    engine = resources.use(
      await openEngine({
        through: ["unshare", "--mount", "sh", "-c", script, "sh"],
        flags: ["--userns-remap", "nobody:nobody"],
        execRoot: join(folder, "exec"),
      }),
    );
  });
  after(() => resources.disposeAsync());

  const ok = async (...args: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await engine.docker(args);
    assert.equal(exitCode, 0, `docker ${args.join(" ")}\n${stderr}${stdout}`);
    return stdout.trim();
  };
  const run = (...args: readonly string[]) => ok("run", "--rm", ...args);

  test("a container's root is somebody else outside, and its files belong to it inside", async () => {
    await ok("run", "-d", "--name", "mapped", "busybox", "sleep", "1000");
    await ok("exec", "mapped", "sh", "-c", "touch /made; chown 5:6 /made");
    assert.match(await ok("exec", "mapped", "cat", "/proc/self/uid_map"), /^0 +100000 +65536$/);
    assert.equal(await ok("exec", "mapped", "stat", "-c", "%u:%g", "/bin/busybox"), "0:0");
    assert.equal(await ok("exec", "-u", "1000:1000", "mapped", "id", "-u"), "1000");
    assert.match(await ok("top", "mapped", "-o", "pid,uid"), /100000/);
    assert.match(await ok("info", "--format", "{{.SecurityOptions}}"), /name=userns/);
    await ok("exec", "mapped", "sh", "-c", "echo 127.0.0.1 own >> /etc/hosts");
    const memory = ["--ipc", "shareable", "busybox", "stat", "-c", "%a:%u:%g", "/dev/shm"];
    assert.equal(await run(...memory), "1777:0:0");
    assert.match(await run("--runtime", "runc", "busybox", "cat", "/proc/self/uid_map"), /100000/);
  });

  test("copies, commits and images have the owners of inside", async () => {
    const { stdout: archive } = await engine.docker(["cp", "mapped:/made", "-"]);
    const bytes = Readable.from([Buffer.from(archive)]);
    for await (const { entry } of readTar(bytes)) assert.deepEqual([entry.uid, entry.gid], [5, 6]);
    const copied = join(folder, "copied");
    await writeFile(copied, "");
    await chown(copied, 5, 6);
    await ok("cp", "-a", copied, "mapped:/back");
    await ok("exec", "mapped", "sh", "-c", 'test "$(stat -c %u:%g /back)" = 5:6');
    const exported = join(folder, "exported.tar");
    await ok("export", "-o", exported, "mapped");
    await ok("import", exported, "imported");
    await ok("commit", "mapped", "committed");
    for (const image of ["imported", "committed"])
      assert.equal(await run(image, "stat", "-c", "%u:%g", "/made"), "5:6", image);
    assert.equal(await run("--userns=host", "committed", "stat", "-c", "%u:%g", "/made"), "5:6");
  });

  test("volumes are shared with containers of the host's users; what is bound stays the host's", async () => {
    const bound = join(folder, "bound");
    await mkdir(bound);
    await run("-v", "shared:/v", "busybox", "sh", "-c", "touch /v/f && chown 7:8 /v/f");
    for (const mode of [[], ["--userns=host"]])
      assert.equal(await run(...mode, "-v", "shared:/v", "busybox", "stat", "-c", "%u:%g", "/v/f"), "7:8");
    const { exitCode, stderr } = await engine.docker([
      ..."run --rm -v".split(" "),
      `${bound}:/b`,
      ..."busybox touch /b/f".split(" "),
    ]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /Permission denied/);
    await run("--userns=host", "-v", `${bound}:/b`, "busybox", "touch", "/b/f");
  });

  test("what only the host's users may have is refused", async () => {
    for (const [flags, words] of [
      [["--privileged"], /privileged mode is incompatible with user namespaces/],
      [["--network", "host"], /cannot share the host's network namespace when user namespaces are enabled/],
      [["--pid", "host"], /cannot share the host PID namespace when user namespaces are enabled/],
      [["--sysctl", "net.ipv4.ip_forward=1"], /sysctl "net.ipv4.ip_forward" cannot be set/],
    ] as const) {
      const { exitCode, stderr } = await engine.docker(["create", ...flags, "busybox"]);
      assert.equal(exitCode, 1);
      assert.match(stderr, words);
      await run("--userns=host", ...flags, "busybox", "true");
    }
  });

  test("containers outlive the engine, and end with the owners that they had", async () => {
    await engine.kill();
    await engine.start();
    await ok("exec", "mapped", "touch", "/later");
    await ok("rm", "-f", "mapped");
  });
});
