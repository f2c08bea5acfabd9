import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chown, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ask } from "./kit-http.ts";
import { useOwnEngine } from "./kit-own-engine.ts";

const own = useOwnEngine();
const { ok, refused } = own;

const hawser = async (...args: readonly string[]) => await own.engine.hawser(args);

/** What the docker CLI does not let through: straight to the engine. */
async function create(mounts: readonly object[]): Promise<{ status: number; message: string }> {
  const body = { Image: "busybox", HostConfig: { Mounts: mounts } };
  const { status, text } = await ask(own.engine.socket, "POST /containers/create", { body });
  return {
    status,
    message: String(status === 201 ? "" : (JSON.parse(text) as { message?: string }).message),
  };
}

describe("a part of a volume", () => {
  test("is seen alone, folder or file, and written through to it", async () => {
    await ok(
      "run",
      "--rm",
      "-v",
      "parts:/v",
      "busybox",
      "sh",
      "-c",
      "mkdir -p /v/a/b; echo in > /v/a/b/f; echo out > /v/g",
    );
    const part = "type=volume,src=parts,dst=/p,volume-subpath=a/b";
    assert.equal(
      await ok("run", "--rm", "--mount", part, "busybox", "sh", "-c", "ls /p; cat /p/f; echo new > /p/n"),
      "f\nin",
    );
    assert.equal(await ok("run", "--rm", "-v", "parts:/v", "busybox", "cat", "/v/a/b/n"), "new");
    const file = "type=volume,src=parts,dst=/the/file,volume-subpath=g,readonly";
    assert.equal(await ok("run", "--rm", "--mount", file, "busybox", "cat", "/the/file"), "out");
    await ok("create", "--name", "still", "--mount", part, "busybox");
    assert.equal(await ok("cp", "still:/p/f", "-").then((tar) => tar.includes("in\n")), true);
    await ok("rm", "still");
  });

  test("never is anything outside of it, whatever links lie on the way", async () => {
    await writeFile(join(own.folder, "secret"), "secret of the host\n");
    const script = `ln -s ${own.folder} /v/abs; ln -s ../../../../../../..${own.folder} /v/rel; ln -s / /v/root; ln -s a /v/inner`;
    await ok("run", "--rm", "-v", "parts:/v", "busybox", "sh", "-c", script);
    for (const path of ["abs/secret", "rel/secret", `root${own.folder}/secret`]) {
      const error = await refused(
        "run",
        "--rm",
        "--mount",
        `type=volume,src=parts,dst=/p,volume-subpath=${path}`,
        "busybox",
        "cat",
        "/p",
      );
      assert.match(error, /cannot access path .*\/_data\/.*: No such file or directory/);
    }
    const inner = "type=volume,src=parts,dst=/p,volume-subpath=inner/b";
    assert.equal(await ok("run", "--rm", "--mount", inner, "busybox", "cat", "/p/f"), "in");
    await ok(
      "create",
      "--name",
      "still",
      "--mount",
      "type=volume,src=parts,dst=/p,volume-subpath=abs",
      "busybox",
    );
    assert.match(await refused("cp", "still:/p/secret", "-"), /Could not find the file/);
    await ok("rm", "still");
    await ok("volume", "rm", "parts");
  });
});

describe("an image", () => {
  test("is mounted for reading, whole or in part, and kept as long", async () => {
    await ok(
      "run",
      "--name",
      "maker",
      "busybox",
      "sh",
      "-c",
      "mkdir -p /srv/d; echo data > /srv/d/f; ln -s /etc /srv/out",
    );
    await ok("commit", "maker", "data:1");
    await ok("rm", "maker");
    const whole = "type=image,src=data:1,dst=/i";
    assert.equal(await ok("run", "--rm", "--mount", whole, "busybox", "cat", "/i/srv/d/f"), "data");
    const write = "touch /i/x || mount -o remount,rw /i && touch /i/x";
    assert.match(
      await refused("run", "--rm", "--privileged", "--mount", whole, "busybox", "sh", "-c", write),
      /Read-only|read-only|denied/,
    );
    await ok(
      "run",
      "-d",
      "--name",
      "holder",
      "--mount",
      `${whole},image-subpath=srv/d`,
      "busybox",
      "sleep",
      "1000",
    );
    assert.equal(await ok("exec", "holder", "ls", "/i"), "f");
    assert.equal(
      await ok(
        "inspect",
        "-f",
        "{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}}{{end}}",
        "holder",
      ),
      "image data:1 /i false",
    );
    await ok("run", "--rm", "--volumes-from", "holder", "busybox", "grep", "-q", "data", "/i/f");
    await ok("create", "--name", "heir", "--volumes-from", "holder", "busybox", "cat", "/i/f");
    assert.match(await refused("rmi", "data:1"), /container [0-9a-f]+ is using/);
    await ok("rm", "-f", "holder");
    const link = `${whole},image-subpath=srv/out/passwd`;
    await ok("create", "--name", "linked", "--mount", link, "busybox", "cat", "/i");
    assert.match(await ok("cp", "linked:/i", "-"), /root:/);
    await ok(
      "create",
      "--name",
      "twice",
      "--mount",
      whole,
      "--mount",
      "type=image,src=data:1,dst=/j,image-subpath=srv/d",
      "busybox",
    );
    assert.match(await ok("cp", "twice:/i/srv/d/f", "-"), /data/);
    assert.match(await ok("cp", "twice:/j/f", "-"), /data/);
    assert.match(await refused("cp", "/etc/hostname", "twice:/i/x"), /read-only/);
    await ok("rm", "twice");
    await ok("rmi", "-f", "data:1");
    await own.engine.kill();
    await own.engine.start();
    assert.match(await ok("start", "-a", "linked"), /root/);
    assert.equal(await ok("start", "-a", "heir"), "data");
    await ok("rm", "heir");
    await ok("rm", "linked");
    assert.match(await refused("run", "--rm", "--mount", whole, "busybox"), /No such image: data:1/);
  });
});

describe("binds", () => {
  test("are read-only with what is mounted below, unless that is to stay writable", async () => {
    const outer = join(own.folder, "outer");
    await mkdir(join(outer, "inner"), { recursive: true });
    assert.equal(spawnSync("mount", ["-t", "tmpfs", "tmpfs", join(outer, "inner")]).status, 0);
    try {
      const bind = `type=bind,src=${outer},dst=/o,readonly`;
      const touch = [
        "busybox",
        "sh",
        "-c",
        "touch /o/x 2>/dev/null && echo o; touch /o/inner/x 2>/dev/null && echo i; true",
      ];
      assert.equal(await ok("run", "--rm", "--mount", bind, ...touch), "");
      assert.equal(await ok("run", "--rm", "-v", `${outer}:/o:ro`, ...touch), "");
      const forced = `${bind},bind-recursive=readonly,bind-propagation=rprivate`;
      assert.equal(await ok("run", "--rm", "--mount", forced, ...touch), "");
      assert.equal(await ok("run", "--rm", "--mount", `${bind},bind-recursive=writable`, ...touch), "i");
      const alone = `type=bind,src=${outer},dst=/o,bind-recursive=disabled`;
      await ok("run", "--rm", "--mount", alone, "busybox", "touch", "/o/inner/below");
      assert.equal(await ok("run", "--rm", "-v", `${outer}:/o`, "busybox", "ls", "/o/inner"), "x");
    } finally {
      spawnSync("umount", [join(outer, "inner")]);
    }
    assert.equal((await stat(join(outer, "inner", "below"))).isFile(), true);
  });

  test("with the letters that ask for labels are as without, where the host has none", async () => {
    const labelled = join(own.folder, "labelled");
    await mkdir(labelled);
    for (const [mode, wanted] of [
      ["z", "written"],
      ["Z", "written"],
      ["ro,z", "not"],
      ["rw,Z,rslave", "written"],
    ] as const) {
      const script = "touch /l/f 2>/dev/null && echo written || echo not";
      assert.equal(
        await ok("run", "--rm", "-v", `${labelled}:/l:${mode}`, "busybox", "sh", "-c", script),
        wanted,
        mode,
      );
    }
    await ok("run", "--rm", "-v", "shared:/l:z,nocopy", "busybox", "touch", "/l/f");
    await ok("volume", "rm", "shared");
    const both = await refused("create", "-v", `${labelled}:/l:z,Z`, "busybox");
    assert.match(both, /invalid mode: z,Z/);
  });

  test("keep what the host's mount does not allow", async () => {
    const strict = join(own.folder, "strict");
    await mkdir(strict);
    assert.equal(spawnSync("mount", ["-t", "tmpfs", "-o", "nosuid,nodev,noexec", "tmpfs", strict]).status, 0);
    try {
      const seen = await ok("run", "--rm", "-v", `${strict}:/s`, "busybox", "grep", " /s ", "/proc/mounts");
      assert.match(seen, /rw,nosuid,nodev,noexec/);
    } finally {
      spawnSync("umount", [strict]);
    }
  });

  test("of what is not there are refused, or made where that is asked for", async () => {
    const absent = join(own.folder, "absent");
    const bind = { Type: "bind", Source: absent, Target: "/a" };
    assert.match(
      await refused("run", "--rm", "--mount", `type=bind,src=${absent},dst=/a`, "busybox"),
      /bind source path does not exist/,
    );
    const { status } = await create([{ ...bind, BindOptions: { CreateMountpoint: true } }]);
    assert.equal(status, 201);
    await ok("run", "--rm", "-v", `${absent}2:/a`, "busybox", "true");
    assert.equal((await stat(`${absent}2`)).isDirectory(), true);
  });

  test("with idmap show the owner's files as the user's, and what the user makes becomes the owner's", async () => {
    const owned = join(own.folder, "owned");
    await mkdir(owned);
    await writeFile(join(owned, "mine"), "m");
    for (const path of [owned, join(owned, "mine")]) await chown(path, 12345, 23456);
    const bind = `type=bind,src=${owned},dst=/o,idmap`;
    const look = "stat -c %u:%g /o/mine; touch /o/root; stat -c %u:%g /o/root";
    const asRoot = await hawser("run", "--rm", "--mount", bind, "busybox", "sh", "-c", look);
    assert.equal(asRoot.stdout, "0:0\n0:0\n", asRoot.stderr);
    const asUser = await hawser(
      "run",
      "--rm",
      "--user",
      "7:8",
      "--mount",
      bind,
      "busybox",
      "sh",
      "-c",
      "touch /o/user; stat -c %u:%g /o/mine",
    );
    assert.equal(asUser.stdout, "7:8\n", asUser.stderr);
    for (const name of ["mine", "root", "user"]) {
      const { uid, gid } = await stat(join(owned, name));
      assert.deepEqual([uid, gid], [12345, 23456], name);
    }
    assert.equal(await readFile(join(owned, "mine"), "utf8"), "m");
    const proc = await hawser(
      "run",
      "--rm",
      "--mount",
      "type=bind,src=/proc/tty,dst=/o,idmap",
      "--user",
      "9",
      "busybox",
      "true",
    );
    assert.match(proc.stderr, /Cannot change the owners that a mount shows/);
    await symlink("mine", join(owned, "link"));
  });
});

describe("tmpfs", () => {
  test("has the size, mode and options that were asked for", async () => {
    const look = "stat -c %a /t; df -k /t | tail -1 | awk '{print $2}'; grep ' /t ' /proc/mounts";
    const seen = await ok(
      "run",
      "--rm",
      "--mount",
      "type=tmpfs,dst=/t,tmpfs-size=2m,tmpfs-mode=1700",
      "busybox",
      "sh",
      "-c",
      look,
    );
    assert.match(seen, /^1700\n2048\n.*noexec/);
    const { status } = await create([{ Type: "tmpfs", Target: "/t", TmpfsOptions: { Options: [["exec"]] } }]);
    assert.equal(status, 201);
  });
});

test("what makes no sense is refused in Docker's words", async () => {
  const cases: readonly (readonly [object, RegExp])[] = [
    [
      { Type: "volume", Target: "/a", VolumeOptions: { Subpath: "x" } },
      /type "volume": must not set Subpath when using anonymous volumes/,
    ],
    [
      { Type: "volume", Source: "vv", Target: "/a", VolumeOptions: { Subpath: "../x" } },
      /subpath must be a relative path within the volume/,
    ],
    [
      { Type: "volume", Source: "vv", Target: "/a", VolumeOptions: { Subpath: "/x" } },
      /subpath must be a relative path within the volume/,
    ],
    [{ Type: "volume", Source: "vv", Target: "/a", ImageOptions: {} }, /ImageOptions must not be specified/],
    [{ Type: "image", Target: "/a" }, /type "image": field Source must not be empty/],
    [
      { Type: "image", Source: "busybox", Target: "/a", BindOptions: {} },
      /BindOptions must not be specified/,
    ],
    [
      { Type: "image", Source: "busybox", Target: "/a", ImageOptions: { Subpath: "a/../../b" } },
      /subpath must be a relative path/,
    ],
    [
      { Type: "bind", Source: "/tmp", Target: "/a", VolumeOptions: {} },
      /VolumeOptions must not be specified/,
    ],
    [
      { Type: "bind", Source: "/tmp", Target: "/a", BindOptions: { Propagation: "odd" } },
      /invalid propagation mode: odd/,
    ],
    [{ Type: "bind", Source: "tmp", Target: "/a" }, /invalid mount path: 'tmp' mount path must be absolute/],
    [
      {
        Type: "bind",
        Source: "/tmp",
        Target: "/a",
        ReadOnly: true,
        BindOptions: { ReadOnlyNonRecursive: true, ReadOnlyForceRecursive: true },
      },
      /mount options conflict/,
    ],
    [{ Type: "tmpfs", Source: "/x", Target: "/a" }, /type "tmpfs": field Source must not be specified/],
    [{ Type: "tmpfs", Target: "/a", TmpfsOptions: { Options: [["size", "1"]] } }, /invalid option: size/],
    [
      { Type: "tmpfs", Target: "/a", TmpfsOptions: { Options: [["exec", "a", "b"]] } },
      /invalid option array length/,
    ],
    [{ Type: "bind", Source: "/tmp", Target: "/" }, /invalid specification: destination can't be '\/'/],
  ];
  for (const [mount, wanted] of cases) {
    const { status, message } = await create([mount]);
    assert.equal(status, 400, JSON.stringify(mount));
    assert.match(message, wanted);
  }
});
