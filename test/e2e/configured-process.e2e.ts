import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { runCommandOk } from "./kit-process.ts";
import { clients, findLayer, runClient, useTarget } from "./kit-target.ts";

/** `configured` is busybox with an image configuration and a user `dev`. */
const target = useTarget({
  async prepare(fresh) {
    await using dir = await openTempDir();
    const layer = join(dir.path, "layer.tar");
    const rootfs = join(dir.path, "rootfs");
    const archive = join(dir.path, "rootfs.tar");
    await writeFile(layer, await findLayer("busybox"));
    await mkdir(rootfs);
    await runCommandOk(["tar", "-xf", layer, "-C", rootfs]);
    await writeFile(
      join(rootfs, "etc/passwd"),
      "root:x:0:0::/root:/bin/sh\ndev:x:55:66:Dev:/home/dev:/bin/sh\n",
    );
    await writeFile(join(rootfs, "etc/group"), "root:x:0:\ndev:x:66:\nextra:x:77:dev\n");
    await runCommandOk(["tar", "-cf", archive, "-C", rootfs, "."]);
    const changes = [
      'ENTRYPOINT ["echo","entry"]',
      'CMD ["default"]',
      "ENV FROM=image BOTH=image",
      "WORKDIR /work/dir",
      "USER dev",
      "LABEL from=image both=image",
    ];
    await fresh.ok("import", ...changes.flatMap((change) => ["--change", change]), archive, "configured");
  },
});

for (const client of clients) {
  const run = async (...args: string[]) => {
    const result = await runClient(target, client, { args: ["run", "--rm", ...args] });
    assert.equal(result.stderr, "");
    return result.stdout;
  };
  const shell = (...args: string[]) =>
    run("--entrypoint", "sh", ...args.slice(0, -1), "configured", "-c", args.at(-1) ?? "");

  describe(`a container's process, by ${client.name}`, () => {
    test("is the image's entrypoint and command; the words given replace the command", async () => {
      assert.equal(await run("configured"), "entry default\n");
      assert.equal(await run("configured", "given", "two words"), "entry given two words\n");
    });

    test("is another entrypoint when one is given, without the image's command", async () => {
      assert.equal(await run("--entrypoint", "pwd", "configured"), "/work/dir\n");
      assert.equal(await run("--entrypoint", "", "configured", "echo", "bare"), "bare\n");
    });

    test("has the environment of the image, of the client and of files", async () => {
      await using dir = await openTempDir();
      const file = join(dir.path, "env");
      await writeFile(file, "# a comment\nFILE=a b=c\nPASSED\n\n");
      const flags = ["-e", "BOTH=flag", "-e", "PASSED", "--env-file", file];
      const { stdout } = await runClient(target, client, {
        args: ["run", "--rm", ...flags, "--entrypoint", "env", "configured"],
        env: { PASSED: "through" },
      });
      const lines = stdout.trimEnd().split("\n");
      for (const line of ["FROM=image", "BOTH=flag", "FILE=a b=c", "PASSED=through", "HOME=/home/dev"]) {
        assert.ok(lines.includes(line), `${line} in ${lines.join(" ")}`);
      }
      assert.match(
        stdout,
        /^PATH=\/usr\/local\/sbin:\/usr\/local\/bin:\/usr\/sbin:\/usr\/bin:\/sbin:\/bin$/m,
      );
      assert.match(stdout, /^HOSTNAME=[0-9a-f]{12}$/m);
    });

    test("is the user's of the image, or of the flag, with its groups", async () => {
      const who = "id -u; id -g; id -G";
      assert.equal(await shell(who), "55\n66\n66 77\n");
      assert.equal(await shell("-u", "0", who), "0\n0\n0\n");
      assert.equal(await shell("-u", "1234:5678", who), "1234\n5678\n5678\n");
      assert.equal(await shell("-u", "dev:extra", who), "55\n77\n77\n");
      assert.equal(
        await shell("--group-add", "extra", "--group-add", "99", "-u", "0:0", who),
        "0\n0\n0 77 99\n",
      );
    });

    test("runs in the image's folder, or the flag's, which is made", async () => {
      assert.equal(await shell("pwd"), "/work/dir\n");
      assert.equal(await shell("-w", "/made/here", "pwd; stat -c %u:%a ."), "/made/here\n0:755\n");
    });

    test("has a host name", async () => {
      const told = await shell(
        "-h",
        "box.example",
        "hostname; cat /etc/hostname; grep -c box.example /etc/hosts",
      );
      assert.equal(told, "box.example\nbox.example\n1\n");
      assert.match(await shell("hostname"), /^[0-9a-f]{12}\n$/);
    });

    test("is reaped by an init with --init", async () => {
      const told = await shell(
        "--init",
        "-u",
        "0",
        "cat /proc/1/comm; sh -c 'sleep 0.05 & exec true'; sleep 0.2; ps | grep -c 'sleep'",
      );
      assert.match(told, /^(docker-init|hawser-init|tini)\n/);
      assert.equal(await shell("echo $$"), "1\n");
    });

    test("has the limits that --ulimit gives", async () => {
      const flags = ["--ulimit", "nofile=123:456", "--ulimit", "core=0", "--ulimit", "nproc=77"];
      assert.equal(await shell(...flags, "ulimit -n; ulimit -Hn; ulimit -c"), "123\n456\n0\n");
    });
  });
}

describe("a container's configuration", () => {
  test("has labels of the image, of flags and of files", async () => {
    await using dir = await openTempDir();
    await writeFile(join(dir.path, "labels"), "# c\nfile=1\n");
    const flags = ["-l", "both=flag", "-l", "bare", "--label-file", join(dir.path, "labels")];
    const id = (await target.ok("create", ...flags, "configured")).trim();
    assert.deepEqual((await target.inspect(id))["Config"]?.["Labels"], {
      bare: "",
      both: "flag",
      file: "1",
      from: "image",
    });
  });

  test("may name another OCI runtime", async () => {
    const told = await target.ok("run", "--rm", "--runtime", "runc", "busybox", "echo", "by runc");
    assert.equal(told, "by runc\n");
    const unknown = await target.docker(["run", "--rm", "--runtime", "nosuch", "busybox", "true"]);
    assert.equal(unknown.exitCode, 125);
    assert.match(
      unknown.stderr,
      /[Uu]nknown runtime specified:? nosuch|unknown or invalid runtime name: nosuch/,
    );
  });

  test("is refused when a user is not there", async () => {
    const { exitCode, stderr } = await target.docker(["run", "--rm", "-u", "nobodyknows", "busybox", "true"]);
    assert.equal(exitCode, 125);
    assert.match(stderr, /unable to find user nobodyknows: no matching entries in passwd file/);
  });
});
