import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { Fault, type FaultKind, type TarSource, writeTar } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { deviceNumber, getXattr, listXattr } from "@hawser/linux";
import type { StoreLimits } from "../limits.ts";
import { file, folder, unpackForTest } from "../testing/unpack.ts";

async function archiveOf(entries: readonly TarSource[]): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(writeTar(entries)));
}

async function refuses(
  archive: readonly TarSource[] | Uint8Array,
  kind: FaultKind,
  options: {
    readonly limits?: Partial<StoreLimits>;
    readonly inTwo?: boolean;
    readonly says?: RegExp;
  } = {},
): Promise<void> {
  await assert.rejects(
    async () => {
      await using _ = await unpackForTest(archive, options);
    },
    (error) => {
      assert.ok(error instanceof Fault, String(error));
      assert.equal(error.kind, kind, error.message);
      if (options.says) assert.match(error.message, options.says);
      return true;
    },
  );
}

const opaque = "trusted.overlay.opaque";

test("unpackLayer() makes every kind of file with owner, mode, time and attributes", async () => {
  const time = 1_700_000_000_123_456_789n;
  const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");
  const owner = { uid: 1234, gid: 4321, mtimeNs: time };
  await using made = await unpackForTest([
    folder("d", { ...owner, mode: 0o3771 }),
    file("d/setuid", "content", {
      ...owner,
      mode: 0o6755,
      xattrs: new Map([
        ["security.capability", capability],
        ["user.k", Buffer.from("v")],
      ]),
    }),
    { path: "d/hard", type: "hardlink", linkPath: "d/setuid" },
    { path: "d/link", type: "symlink", linkPath: "/etc/passwd", ...owner },
    { path: "d/null", type: "character-device", deviceMajor: 1, deviceMinor: 3, mode: 0o666, ...owner },
    { path: "d/disk", type: "block-device", deviceMajor: 259, deviceMinor: 300, mode: 0o600, ...owner },
    { path: "d/pipe", type: "fifo", mode: 0o622, ...owner },
  ]);
  const at = (path: string) => join(made.folder, path);
  for (const name of ["d", "d/setuid", "d/link", "d/null", "d/disk", "d/pipe"]) {
    const stats = lstatSync(at(name), { bigint: true });
    assert.deepEqual(
      { name, uid: stats.uid, gid: stats.gid, mtimeNs: stats.mtimeNs },
      { name, uid: 1234n, gid: 4321n, mtimeNs: time },
    );
  }
  const modes = Object.fromEntries(
    readdirSync(at("d")).map((name) => [name, (lstatSync(at(`d/${name}`)).mode & 0o7777).toString(8)]),
  );
  assert.deepEqual(modes, {
    setuid: "6755",
    hard: "6755",
    link: "777",
    null: "666",
    disk: "600",
    pipe: "622",
  });
  assert.equal((lstatSync(at("d")).mode & 0o7777).toString(8), "3771");
  assert.deepEqual(Buffer.from(getXattr(at("d/setuid"), "security.capability") ?? []), capability);
  assert.equal(Buffer.from(getXattr(at("d/setuid"), "user.k") ?? []).toString(), "v");
  assert.equal(lstatSync(at("d/hard")).ino, lstatSync(at("d/setuid")).ino);
  assert.equal(readlinkSync(at("d/link")), "/etc/passwd");
  assert.equal(lstatSync(at("d/null")).rdev, deviceNumber(1, 3));
  assert.equal(lstatSync(at("d/disk")).rdev, deviceNumber(259, 300));
  assert.equal(made.layer.sizeBytes, 18);
});

test("unpackLayer() gives files exactly the archive's mode and owner, whatever their folder hands down", async () => {
  // A group by the set-group-id bit; write rights for a group by a default ACL (user::rwx, group::rwx, other::rwx).
  const everyone = Buffer.from(
    "02000000" + "01000700ffffffff" + "04000700ffffffff" + "20000700ffffffff",
    "hex",
  );
  const modes = [0o644, 0o755, 0o777, 0o666, 0o444, 0o000, 0o4755, 0o2755, 0o1644];
  await using made = await unpackForTest([
    ...modes.map((mode) => file(`plain-${mode.toString(8)}`, "x", { mode })),
    folder("group", { mode: 0o2755, gid: 77 }),
    ...modes.map((mode) => file(`group/${mode.toString(8)}`, "x", { mode })),
    folder("acl", { xattrs: new Map([["system.posix_acl_default", everyone]]) }),
    ...modes.map((mode) => file(`acl/${mode.toString(8)}`, "x", { mode })),
  ]);
  for (const mode of modes) {
    for (const place of ["plain-", "group/", "acl/"]) {
      const stats = statSync(join(made.folder, `${place}${mode.toString(8)}`));
      const found = [stats.mode & 0o7777, stats.uid, stats.gid];
      assert.deepEqual(found, [mode, 0, 0], `${place}${mode.toString(8)}`);
    }
  }
});

test("unpackLayer() reads plain, gzip and zstd archives alike, and tells what the plain one hashes to", async () => {
  const archive = await archiveOf([folder("d"), file("d/f", "x".repeat(100_000))]);
  const diffId = `sha256:${createHash("sha256").update(archive).digest("hex")}`;
  for (const compressed of [
    archive,
    gzipSync(archive),
    zstdCompressSync(archive),
    Buffer.concat([gzipSync(archive.subarray(0, 700)), gzipSync(archive.subarray(700))]),
  ]) {
    await using made = await unpackForTest(compressed);
    assert.equal(made.layer.diffId, diffId);
    assert.equal(readFileSync(join(made.folder, "d/f"), "utf8").length, 100_000);
  }
});

test("unpackLayer() makes what GNU tar makes", async () => {
  await using dir = await openTempDir();
  const archive = join(dir.path, "a.tar");
  const wanted = join(dir.path, "wanted");
  execFileSync("mkdir", [wanted]);
  execFileSync("tar", ["-cf", archive, "-C", "/", "etc", "usr/share/perl", "usr/lib/systemd"], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  execFileSync("tar", ["-xf", archive, "-C", wanted]);
  await using made = await unpackForTest(readFileSync(archive));
  const list = (path: string) =>
    execFileSync("find", [".", "-printf", "%p %y %m %U %G %T@ %l\\n"], { cwd: path, maxBuffer: 1 << 26 })
      .toString()
      .split("\n")
      .toSorted()
      .filter((line) => !/^\.\/?(?:usr|usr\/share|usr\/lib)? d /.test(line))
      .join("\n");
  assert.equal(list(made.folder), list(wanted));
  execFileSync("diff", ["-r", "--no-dereference", wanted, made.folder]);
});

test("unpackLayer() turns whiteouts into overlay's", async () => {
  await using made = await unpackForTest([
    folder("d"),
    file("d/.wh.gone"),
    folder("o"),
    file("o/.wh..wh..opq"),
    file(".wh..wh.plnk"),
    file("both", "mine"),
    file(".wh.both"),
    folder("kept"),
    file(".wh.kept"),
    file(".wh.later"),
    folder("later"),
    file("later/f"),
    file("deep/er/.wh.x"),
  ]);
  const at = (path: string) => join(made.folder, path);
  for (const path of ["d/gone", "deep/er/x"]) {
    const stats = lstatSync(at(path));
    assert.ok(stats.isCharacterDevice() && stats.rdev === 0, path);
  }
  assert.deepEqual(readdirSync(at("d")), ["gone"]);
  assert.deepEqual(readdirSync(made.folder).toSorted(), ["both", "d", "deep", "kept", "later", "o"]);
  assert.equal(readFileSync(at("both"), "utf8"), "mine");
  for (const path of ["o", "kept", "later"])
    assert.equal(Buffer.from(getXattr(at(path), opaque) ?? []).toString(), "y", path);
  assert.equal(getXattr(at("d"), opaque), undefined);
});

test("unpackLayer() lets the last of several entries win, and merges folders", async () => {
  await using made = await unpackForTest([
    file("f", "first"),
    { path: "h", type: "hardlink", linkPath: "f" },
    file("f", "second"),
    folder("d", { mode: 0o700 }),
    file("d/a", "a"),
    folder("d", { mode: 0o750, mtimeNs: 5_000_000_000n }),
    file("becomes-folder"),
    folder("becomes-folder"),
    file("becomes-folder/x"),
    folder("becomes-file"),
    folder("becomes-file/sub", { mtimeNs: 1n }),
    file("becomes-file/sub/x"),
    file("becomes-file", "file"),
    { path: "link", type: "symlink", linkPath: "d" },
    folder("link"),
    file("link/y"),
  ]);
  const at = (path: string) => join(made.folder, path);
  assert.equal(readFileSync(at("h"), "utf8"), "first");
  assert.equal(readFileSync(at("f"), "utf8"), "second");
  assert.deepEqual(readdirSync(at("d")), ["a"]);
  assert.equal(statSync(at("d")).mode & 0o777, 0o750);
  assert.equal(statSync(at("d")).mtimeMs, 5000);
  assert.deepEqual(readdirSync(at("becomes-folder")), ["x"]);
  assert.equal(readFileSync(at("becomes-file"), "utf8"), "file");
  assert.deepEqual(readdirSync(at("link")), ["y"]);
  assert.ok(lstatSync(at("link")).isDirectory());
});

test("unpackLayer() keeps names that are not UTF-8 or unusual", async () => {
  const names = [
    Buffer.from([0xff, 0x41]),
    Buffer.from("new\nline"),
    Buffer.from("tab\t"),
    Buffer.from("ü"),
    Buffer.from(".." + "."),
  ];
  await using made = await unpackForTest(names.map((path) => ({ path, type: "file" as const })));
  const found = await readdir(made.folder, { encoding: "buffer" });
  assert.deepEqual(
    found.map((name) => name.toString("hex")).toSorted(),
    names.map((name) => name.toString("hex")).toSorted(),
  );
});

test("unpackLayer() makes sparse files with their holes", async () => {
  await using dir = await openTempDir();
  execFileSync("sh", ["-c", "truncate -s 50M s; printf end >> s; tar -cSf a.tar --format=posix s"], {
    cwd: dir.path,
  });
  await using made = await unpackForTest(readFileSync(join(dir.path, "a.tar")));
  const stats = statSync(join(made.folder, "s"));
  assert.equal(stats.size, 50 * 2 ** 20 + 3);
  assert.ok(stats.blocks * 512 < 1 << 20, "the hole takes no space");
  assert.equal(readFileSync(join(made.folder, "s")).subarray(-3).toString(), "end");
  assert.ok(made.layer.sizeBytes < 1 << 20);
});

test("unpackLayer() names the folders that the archive leaves out", async () => {
  await using made = await unpackForTest([file("a/b/c"), folder("a"), file("x/y")]);
  assert.deepEqual(made.layer.implicitFolders.toSorted(), ["a/b", "x"]);
});

describe("a hostile layer", () => {
  test("with names that lead out of it is refused", async () => {
    for (const path of ["../evil", "a/../../evil", "/../evil", ".."]) {
      await refuses([file(path)], "invalid-argument", { says: /leaves the folder/ });
      await refuses([folder("d"), { path: "d/h", type: "hardlink", linkPath: path }], "invalid-argument");
    }
  });

  test("with absolute names has its files in its own root", async () => {
    await using made = await unpackForTest([file("/etc/hawser-test", "x")]);
    assert.equal(readFileSync(join(made.folder, "etc/hawser-test"), "utf8"), "x");
  });

  test("cannot write through its links: they count from its own root", async () => {
    await using made = await unpackForTest([
      { path: "abs", type: "symlink", linkPath: "/" },
      { path: "up", type: "symlink", linkPath: "../../../../../.." },
      { path: "self", type: "symlink", linkPath: "/proc/self/root" },
      { path: "target", type: "symlink", linkPath: "/tmp/hawser-test-evil" },
      folder("tmp"),
      file("abs/one", "1"),
      file("up/two", "2"),
      file("target", "replaces the link"),
    ]);
    assert.deepEqual(readdirSync(made.folder).toSorted(), [
      "abs",
      "one",
      "self",
      "target",
      "tmp",
      "two",
      "up",
    ]);
    assert.deepEqual(readdirSync(made.outside).toSorted(), ["layer", "layer.tar"]);
    assert.ok(lstatSync(join(made.folder, "target")).isFile());
    assert.deepEqual(readdirSync(join(made.folder, "tmp")), []);
  });

  test("with files below a link to nowhere, or below a file, is refused", async () => {
    const link = { path: "l", type: "symlink", linkPath: "/nowhere" } as const;
    await refuses([link, file("l/f")], "invalid-argument");
    await refuses([{ ...link, linkPath: "l" }, file("l/f")], "invalid-argument");
    await refuses([file("f"), file("f/g")], "invalid-argument", { says: /not a folder/ });
  });

  test("with hard links to what it does not have is refused", async () => {
    await refuses([{ path: "h", type: "hardlink", linkPath: "/etc/passwd" }], "invalid-argument", {
      says: /hard link/,
    });
    await refuses([{ path: "h", type: "hardlink", linkPath: "h" }], "invalid-argument");
    await refuses([file("f"), { path: "f", type: "hardlink", linkPath: "f" }], "invalid-argument");
    await refuses([folder("d"), { path: "h", type: "hardlink", linkPath: "d" }], "invalid-argument");
    const out = { path: "out", type: "symlink", linkPath: "/etc" } as const;
    await refuses([out, { path: "h", type: "hardlink", linkPath: "out/passwd" }], "invalid-argument");
  });

  test("has a hard link to a symbolic link as that link, not what it points to", async () => {
    await using made = await unpackForTest([
      { path: "l", type: "symlink", linkPath: "/etc/passwd" },
      { path: "h", type: "hardlink", linkPath: "l" },
    ]);
    assert.ok(lstatSync(join(made.folder, "h")).isSymbolicLink());
  });

  test("with whiteouts of nothing is refused", async () => {
    for (const path of [".wh.", ".wh..", ".wh...", "d/.wh..", "d/.wh..."]) {
      await refuses([file(path)], "invalid-argument", { says: /whiteout/ });
    }
  });

  test("cannot set overlay's attributes", async () => {
    const xattrs = new Map(
      [
        "trusted.overlay.redirect",
        "trusted.overlay.metacopy",
        "trusted.overlay.opaque",
        "user.overlay.whiteout",
        "user.ok",
      ].map((name) => [name, Buffer.from("/etc")]),
    );
    await using made = await unpackForTest([folder("d", { xattrs }), file("f", "", { xattrs })]);
    for (const path of ["d", "f"]) assert.deepEqual(listXattr(join(made.folder, path)), ["user.ok"]);
  });

  test("that expands without end is refused", async () => {
    const zeros = await archiveOf([{ path: "z", type: "file", content: Buffer.alloc(8 << 20) }]);
    const limits = { maxExpandedBytes: 4 << 20 };
    await refuses(gzipSync(zeros), "invalid-argument", { limits, says: /expands/ });
    await refuses(zeros, "invalid-argument", { limits });
    await refuses(zstdCompressSync(zeros), "invalid-argument", {
      limits: { maxExpansionRatio: 500, ratioFromBytes: 1 << 20 },
    });
    const many = await archiveOf(Array.from({ length: 50 }, (_, index) => file(`f${index}`)));
    await refuses(many, "invalid-argument", { limits: { maxEntries: 49 }, says: /too many/ });
  });

  test("that is damaged or cut off is refused", async () => {
    const archive = await archiveOf([folder("d"), file("d/f", "x".repeat(5000))]);
    const damaged = Buffer.from(archive);
    damaged.write("garbage", 512);
    await refuses(damaged, "data-loss");
    await refuses(archive.subarray(0, 3000), "data-loss");
    await refuses(gzipSync(archive).subarray(0, -9), "data-loss");
    await refuses(zstdCompressSync(archive).subarray(0, -3), "data-loss");
    const compressed = gzipSync(archive);
    compressed[40] = (compressed[40] ?? 0) ^ 0xff;
    await refuses(compressed, "data-loss");
    await refuses(Buffer.from("BZh91AY&SY"), "invalid-argument", { says: /bzip2/ });
    await refuses(Buffer.from("\xfd7zXZ\0\0", "latin1"), "invalid-argument", { says: /xz/ });
  });

  test("with names longer than the kernel takes is refused", async () => {
    await refuses([file("n".repeat(256))], "invalid-argument");
    await refuses([file(`${"n/".repeat(2100)}f`)], "invalid-argument");
  });

  test("cannot be the root itself in another form", async () => {
    await refuses([{ path: ".", type: "symlink", linkPath: "/etc" }], "invalid-argument");
    await refuses([file("/")], "invalid-argument");
  });
});

test("unpackLayer() ends at once when it is cancelled, and then writes no more", async () => {
  const archive = await archiveOf(Array.from({ length: 20_000 }, (_, index) => file(`f${index}`, "x")));
  const reason = new Error("not wanted");
  const controller = new AbortController();
  setImmediate(() => controller.abort(reason));
  await assert.rejects(unpackForTest(archive, { signal: controller.signal }), (error) => error === reason);
});

describe("a layer that one thread expands while another one makes its files", () => {
  const inTwo = { inTwo: true };
  const large = (name: string) => ({ path: name, type: "file", content: randomBytes(3 << 20) }) as const;

  test("comes to the same in every compression", async () => {
    const archive = await archiveOf([large("a"), folder("d"), large("d/b"), file("d/c", "x"), large("e")]);
    const diffId = `sha256:${createHash("sha256").update(archive).digest("hex")}`;
    const parts = [archive.subarray(0, 4_000_001), archive.subarray(4_000_001)];
    for (const compressed of [
      archive,
      gzipSync(archive, { level: 1 }),
      zstdCompressSync(archive),
      Buffer.concat(parts.map((part) => gzipSync(part, { level: 1 }))),
      Buffer.concat(parts.map((part) => zstdCompressSync(part))),
    ]) {
      await using made = await unpackForTest(compressed, inTwo);
      assert.equal(made.layer.diffId, diffId);
      assert.equal(made.layer.sizeBytes, 3 * (3 << 20) + 1);
      assert.deepEqual(readdirSync(made.folder).toSorted(), ["a", "d", "e"]);
    }
  });

  test("is refused when either finds something wrong, while the other one waits", async () => {
    const rest = Array.from({ length: 6 }, (_, index) => large(`f${index}`));
    await refuses([file("../evil"), ...rest], "invalid-argument", { ...inTwo, says: /leaves the folder/ });
    await refuses([...rest, file("../evil")], "invalid-argument", { ...inTwo, says: /leaves the folder/ });
    const compressed = gzipSync(await archiveOf(rest), { level: 1 });
    await refuses(compressed.subarray(0, -9), "data-loss", inTwo);
    compressed.fill(0, 100_000, 200_000);
    await refuses(compressed, "data-loss", inTwo);
    await refuses(await archiveOf(rest), "invalid-argument", {
      ...inTwo,
      limits: { maxExpandedBytes: 16 << 20 },
      says: /expands/,
    });
    // And both can be had again.
    await using made = await unpackForTest([large("after")], inTwo);
    assert.deepEqual(readdirSync(made.folder), ["after"]);
  });

  test("ends at once when it is cancelled", async () => {
    const archive = gzipSync(await archiveOf(Array.from({ length: 8 }, (_, index) => large(`f${index}`))));
    const reason = new Error("not wanted");
    const controller = new AbortController();
    setImmediate(() => controller.abort(reason));
    await assert.rejects(
      unpackForTest(archive, { ...inTwo, signal: controller.signal }),
      (error) => error === reason,
    );
  });
});

test("unpackLayer() leaves the process' own root alone", async () => {
  await using _made = await unpackForTest([file("f")]);
  assert.ok((await readdir("/")).includes("proc"));
  assert.ok(readdirSync("/").includes("proc"));
});
