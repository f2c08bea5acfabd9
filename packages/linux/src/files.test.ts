import assert from "node:assert/strict";
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Fault } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import {
  confineThread,
  deviceNumber,
  exchangeFiles,
  lockFile,
  makeFile,
  mknod,
  openInRoot,
  setFileAttributes,
  setTimesNs,
  statFolder,
  syncFileSystem,
} from "./index.ts";

test("times are set to the nanosecond, before 1970 too, and on a link itself", async () => {
  await using folder = await openTempDir();
  const [file, link] = [join(folder.path, "file"), join(folder.path, "link")];
  writeFileSync(file, "");
  symlinkSync("file", link);
  setTimesNs(file, 1_700_000_000_123_456_789n, -1_500_000_001n);
  setTimesNs(link, 5n, 7n);
  const fileTimes = lstatSync(file, { bigint: true });
  assert.deepEqual([fileTimes.atimeNs, fileTimes.mtimeNs], [1_700_000_000_123_456_789n, -1_500_000_001n]);
  const linkTimes = lstatSync(link, { bigint: true });
  assert.deepEqual([linkTimes.atimeNs, linkTimes.mtimeNs], [5n, 7n]);
});

test("two places are exchanged, folders and files alike", async () => {
  await using folder = await openTempDir();
  const [one, other, none] = ["one", "other", "none"].map((name) => join(folder.path, name));
  assert.ok(one && other && none);
  mkdirSync(one);
  writeFileSync(other, "file");
  exchangeFiles(one, other);
  assert.equal(readFileSync(one, "utf8"), "file");
  assert.ok(statSync(other).isDirectory());
  assert.throws(() => exchangeFiles(one, none), { code: "ENOENT", syscall: "renameat2", path: none });
});

test("a file system is written to its disk; one that is not there is told of", async () => {
  await using folder = await openTempDir();
  await syncFileSystem(folder.path);
  await assert.rejects(syncFileSystem(join(folder.path, "none")), { code: "ENOENT", syscall: "open" });
});

test("a folder is told with what is in it, links as they are, names as bytes", async () => {
  await using folder = await openTempDir();
  assert.deepEqual(statFolder(folder.path), []);
  const name = Buffer.concat([Buffer.from(`${folder.path}/`), Buffer.of(0xff, 0x20)]);
  writeFileSync(name, "four");
  symlinkSync("/nowhere", join(folder.path, "link"));
  setTimesNs(name, 0n, 1_700_000_000_000_000_007n);
  const found = statFolder(folder.path).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const expected = ["link", "\xff "].map((own) => {
    const path = own === "link" ? join(folder.path, own) : name;
    const { mode, uid, gid, size, mtimeNs, ctimeNs, ino } = lstatSync(path, { bigint: true });
    return {
      name: own,
      mode: Number(mode),
      mark: [mode, uid, gid, size, mtimeNs, ctimeNs, ino].join(" "),
    };
  });
  assert.deepEqual(found, expected);
  for (let at = 0; at < 500; at++) writeFileSync(join(folder.path, `${"long".repeat(50)}${at}`), "");
  assert.equal(statFolder(folder.path).length, 502);
  assert.throws(() => statFolder(join(folder.path, "link")), { code: "ENOTDIR", syscall: "open" });
  assert.throws(() => statFolder(join(folder.path, "none")), { code: "ENOENT" });
});

test("a FIFO is made, with a name that is not text", async () => {
  await using folder = await openTempDir();
  const path = Buffer.concat([Buffer.from(`${folder.path}/`), Buffer.of(0xff, 0xfe)]);
  mknod(path, constants.S_IFIFO | 0o600);
  assert.ok(statSync(path).isFIFO());
  assert.throws(() => mknod(path, constants.S_IFIFO | 0o600), { code: "EEXIST", syscall: "mknod" });
});

test("device numbers are composed as the kernel has them", () => {
  assert.equal(deviceNumber(1, 3), statSync("/dev/null").rdev);
  assert.equal(deviceNumber(8, 300), 0x10082c);
  assert.equal(deviceNumber(0xfff, 0xfffff), 0xffffffff);
});

test("a path is resolved inside the folder that stands for the root", async () => {
  await using folder = await openTempDir();
  const root = join(folder.path, "root");
  mkdirSync(join(root, "etc"), { recursive: true });
  writeFileSync(join(folder.path, "outside"), "secret");
  writeFileSync(join(root, "etc/file"), "inside");
  symlinkSync("/etc/file", join(root, "absolute"));
  symlinkSync("../../../../etc/file", join(root, "etc/climbing"));
  symlinkSync("../../outside", join(root, "etc/escape"));
  symlinkSync("/proc/self/root/etc/passwd", join(root, "magic"));
  const rootFd = openSync(root, "r");
  try {
    for (const path of ["/etc/file", "etc/file", "../../etc/file", "absolute", "etc/climbing"]) {
      assert.equal(readIn(rootFd, path), "inside", path);
    }
    for (const path of ["outside", "../outside", "etc/escape", "magic", "/proc/self/exe"]) {
      assert.throws(() => readIn(rootFd, path), { code: "ENOENT", syscall: "openat2" }, path);
    }
    assert.throws(() => openInRoot(rootFd, "absolute", constants.O_RDONLY | constants.O_NOFOLLOW, 0), {
      code: "ELOOP",
    });
    closeSync(
      openInRoot(rootFd, "/etc/new", constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o640),
    );
    assert.equal(statSync(join(root, "etc/new")).mode & 0o777, 0o640 & ~process.umask());
  } finally {
    closeSync(rootFd);
  }
});

test("links of /proc lead out of no root", () => {
  const root = openSync("/", "r");
  try {
    assert.throws(() => openInRoot(root, "/proc/self/exe", constants.O_RDONLY, 0), { code: "ELOOP" });
  } finally {
    closeSync(root);
  }
});

test("a lock is exclusive until the file is closed", async () => {
  await using folder = await openTempDir();
  const path = join(folder.path, "pid");
  const [first, second] = [openSync(path, "a"), openSync(path, "a")];
  assert.equal(lockFile(first), true);
  assert.equal(lockFile(first), true);
  assert.equal(lockFile(second), false);
  closeSync(first);
  assert.equal(lockFile(second), true);
  closeSync(second);
  assert.throws(() => lockFile(-1), { code: "EBADF", syscall: "flock" });
});

test("the main thread is not confined", () => {
  assert.throws(
    () => confineThread("/tmp"),
    (error) => Fault.is(error, "invalid-argument"),
  );
  assert.ok(readFileSync("/proc/self/stat").length > 0);
});

function readIn(rootFd: number, path: string): string {
  const fd = openInRoot(rootFd, path, constants.O_RDONLY, 0);
  try {
    const room = Buffer.alloc(64);
    return room.toString("utf8", 0, readSync(fd, room));
  } finally {
    closeSync(fd);
  }
}

test("a file is made with all that is in it, only where nothing is, and its attributes are set to the bit", async () => {
  await using folder = await openTempDir();
  const [file, link] = [join(folder.path, "file"), join(folder.path, "link")];
  symlinkSync("elsewhere", link);
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  makeFile(file, Buffer.from("content"), { openMode: 0o600, owner, mode: 0o4751, mtimeNs: -1n });
  const seen = statSync(file, { bigint: true });
  assert.deepEqual([readFileSync(file, "utf8"), seen.mode, seen.mtimeNs], ["content", 0o104751n, -1n]);
  for (const path of [file, link]) {
    assert.throws(() => makeFile(path, Buffer.alloc(0), { openMode: 0o600, mtimeNs: 0n }), {
      code: "EEXIST",
    });
  }
  const nobody = { uid: 0xffff_ffff, gid: 0 };
  const fd = openSync(file, "r+");
  assert.throws(() => setFileAttributes(fd, { owner: nobody, mtimeNs: 0n }), { code: "EINVAL" });
  setFileAttributes(fd, { mtimeNs: 7n });
  closeSync(fd);
  const now = statSync(file, { bigint: true });
  assert.deepEqual([now.mode, now.mtimeNs], [0o104751n, 7n]);
});
