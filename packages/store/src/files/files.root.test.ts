import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Fault, readTar, type TarSource, writeTar } from "@hawser/base";
import { eventually, openTempDir } from "@hawser/base/testing";
import { mknod, setXattr } from "@hawser/linux";
import { file, folder } from "../testing/unpack.ts";
import { listChanges } from "./changes.ts";
import type { FileNote, FilesRoot } from "./files-job.ts";
import { filesWorkers, OpenFiles } from "./open-files.ts";
import { measureFiles, openArchive, readFiles, statPath, writeArchive } from "./run-files-job.ts";

interface TestLayers extends AsyncDisposable {
  readonly root: string;
  readonly lower: string;
  readonly upper: string;
  readonly outside: string;
  readonly view: FilesRoot;
}

/** An overlay's folders beside a folder that nothing may reach; `volume` is bound at /vol. */
async function openLayers(): Promise<TestLayers> {
  const dir = await openTempDir();
  const at = (name: string) => join(dir.path, name);
  for (const name of ["lower", "upper", "work", "outside", "volume"]) await mkdir(at(name));
  await writeFile(at("outside/secret"), "secret");
  await mkdir(at("lower/etc"));
  await writeFile(at("lower/etc/conf"), "lower");
  return {
    root: dir.path,
    lower: at("lower"),
    upper: at("upper"),
    outside: at("outside"),
    view: {
      kind: "layers",
      lower: [at("lower")],
      upper: at("upper"),
      work: at("work"),
      binds: [{ source: at("volume"), target: "/vol", readOnly: false, recursive: true }],
    },
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

async function namesOf(archive: AsyncIterable<Uint8Array>): Promise<string[]> {
  const names: string[] = [];
  for await (const { entry } of readTar(archive)) names.push(entry.path.toString());
  return names;
}

const into = { keepKinds: false, keepFolder: true } as const;

function put(layers: TestLayers, path: string, entries: readonly TarSource[], more: object = {}) {
  return writeArchive(layers.view, writeTar(entries), { path, ...into, ...more });
}

test("a view shows the layers together, with what is bound in them, and leaves nothing mounted", async () => {
  await using layers = await openLayers();
  const before = await readFile("/proc/self/mountinfo", "utf8");
  await writeFile(join(layers.upper, "new"), "n");
  await put(layers, "/vol", [file("in-volume", "v")]);
  assert.equal(await readFile(join(layers.root, "volume/in-volume"), "utf8"), "v");
  await put(layers, "/etc", [file("more", "m")]);
  assert.equal(await readFile(join(layers.upper, "etc/more"), "utf8"), "m");
  const names: string[] = [];
  for await (const { entry } of readTar(readFiles(layers.view, { kind: "export" }))) {
    names.push(entry.path.toString());
  }
  assert.deepEqual(names, ["etc/", "etc/conf", "etc/more", "new", "vol/", "vol/in-volume"]);
  assert.equal(await readFile("/proc/self/mountinfo", "utf8"), before);
});

test("what need not survive a power cut is written to once more", async () => {
  await using layers = await openLayers();
  const view = { ...layers.view, volatile: true };
  for (const name of ["one", "two"]) {
    await writeArchive(view, writeTar([file(name, name)]), { path: "/etc", ...into });
    // So overlay says that it has not waited for the disk.
    assert.deepEqual(await readdir(join(layers.root, "work/work/incompat")), ["volatile"]);
  }
  assert.deepEqual((await readdir(join(layers.upper, "etc"))).toSorted(), ["one", "two"]);
});

test("links of a container never lead out of it", async () => {
  await using layers = await openLayers();
  await symlink(layers.outside, join(layers.upper, "abs"));
  await symlink("../../../../../../../..", join(layers.upper, "up"));
  await symlink("/etc", join(layers.upper, "link"));
  await symlink("loop", join(layers.upper, "loop"));
  for (const path of [`/abs/secret`, `/up${layers.outside}/secret`, "/abs/."]) {
    await assert.rejects(statPath(layers.view, path), (error) => Fault.is(error, "not-found"), path);
    await assert.rejects(put(layers, path, [file("x")]), (error) => Fault.is(error, "not-found"), path);
  }
  await assert.rejects(statPath(layers.view, "/loop/x"), (error) => Fault.is(error, "invalid-argument"));
  assert.equal((await statPath(layers.view, "/up")).linkTarget, "/");
  assert.equal((await statPath(layers.view, "/link")).linkTarget, "/etc");
  assert.equal((await statPath(layers.view, "/abs")).linkTarget, layers.outside);
  await put(layers, "/link", [file("through", "t")]);
  assert.equal(await readFile(join(layers.upper, "etc/through"), "utf8"), "t");
  assert.deepEqual(await readdir(layers.outside), ["secret"]);
});

test("hostile archives write inside of the folder, or are refused", async () => {
  await using layers = await openLayers();
  await put(layers, "/etc", [
    { path: "out", type: "symlink", linkPath: layers.outside },
    { path: "/absolute", type: "file", content: Buffer.from("a") },
  ]);
  assert.equal(await readFile(join(layers.upper, "etc/absolute"), "utf8"), "a");
  for (const entries of [
    [file("../../escape")],
    [{ path: "hard", type: "hardlink", linkPath: "../../../outside/secret" } satisfies TarSource],
    [{ path: "hard", type: "hardlink", linkPath: join(layers.outside, "secret") } satisfies TarSource],
    [file("out/x")],
  ]) {
    await assert.rejects(put(layers, "/etc", entries), (error) => Fault.is(error, "invalid-argument"));
  }
  await assert.rejects(
    writeArchive(layers.view, chunks(Buffer.from("no archive at all")), { path: "/etc", ...into }),
    (error) => Fault.is(error, "data-loss"),
  );
  assert.deepEqual(await readdir(layers.outside), ["secret"]);
});

test("kinds are kept on demand, owners set, the folder itself left alone", async () => {
  await using layers = await openLayers();
  await assert.rejects(put(layers, "/", [file("etc")], { keepKinds: true }), {
    message: 'cannot overwrite directory "/etc" with non-directory "/"',
  });
  await assert.rejects(put(layers, "/etc", [folder("conf")], { keepKinds: true }), {
    message: 'cannot overwrite non-directory "/etc/conf" with directory "/etc"',
  });
  await put(
    layers,
    "/etc",
    [folder("./", { mode: 0o700 }), file("own", "", { uid: 7, gid: 7 }), file(".wh.x")],
    {
      owner: { uid: 12, gid: 13 },
    },
  );
  const own = await stat(join(layers.upper, "etc/own"));
  assert.deepEqual([own.uid, own.gid], [12, 13]);
  assert.equal((await stat(join(layers.upper, "etc"))).mode & 0o777, 0o755);
  assert.ok((await stat(join(layers.upper, "etc/.wh.x"))).isFile());
  await assert.rejects(put(layers, "/etc/conf", [file("x")]), {
    message: "extraction point is not a directory",
  });
});

test("an archive is named as Docker names it", async () => {
  await using layers = await openLayers();
  await symlink("/etc", join(layers.upper, "link"));
  const read = async (path: string) => {
    await using opened = await openArchive(layers.view, path);
    return [opened.stat.name, ...(await namesOf(opened.archive))];
  };
  assert.deepEqual(await read("/etc"), ["etc", "etc/", "etc/conf"]);
  assert.deepEqual(await read("etc/."), [".", "./", "./conf"]);
  assert.deepEqual(await read("/link"), ["link", "link"]);
  assert.deepEqual(await read("/link/"), ["link", "link/", "link/conf"]);
  assert.deepEqual(await read("/etc/conf"), ["conf", "conf"]);
});

test("a reader that goes away ends the worker", async () => {
  await using layers = await openLayers();
  await writeFile(join(layers.upper, "large"), Buffer.alloc(8 << 20));
  const opened = await openArchive(layers.view, "/");
  for await (const _ of opened.archive) break;
  await opened[Symbol.asyncDispose]();
  const leaving = new AbortController();
  const endless = async function* () {
    for (;;) {
      yield Buffer.alloc(1 << 16);
      leaving.abort(new Error("gone"));
    }
  };
  await assert.rejects(writeArchive(layers.view, endless(), { path: "/", ...into, signal: leaving.signal }), {
    message: "gone",
  });
});

test("a stock that was prepared goes down and up, and ends when nobody needs it", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await using layers = await openLayers();
  const stocked = async () => {
    const ids = await readdir("/proc/self/task");
    const names = ids.map((id) => readFile(`/proc/self/task/${id}/comm`, "utf8").catch(() => ""));
    return (await Promise.all(names)).filter((name) => name.trim() === "files").length;
  };
  filesWorkers.prepare();
  const measured = await Promise.all(Array.from({ length: 5 }, () => measureFiles(layers.view)));
  assert.deepEqual(
    measured,
    Array.from({ length: 5 }, () => 5),
  );
  await setImmediate();
  await eventually(async () => (await stocked()) === 3, { what: "three wait" });
  t.mock.timers.tick(60_000);
  await eventually(async () => (await stocked()) === 0, { what: "they end" });
});

test("a root that is open does one job after another, and never one outside of itself", async () => {
  await using layers = await openLayers();
  await symlink("/etc/conf", join(layers.upper, "link"));
  await using open = new OpenFiles(layers.view);
  assert.equal((await statPath(open, "/etc/conf")).name, "conf");
  await using reading = await openArchive(open, "/etc");
  // It is busy: what comes meanwhile is done by another.
  await writeArchive(open, writeTar([file("new")]), { path: "/etc", ...into });
  assert.deepEqual(await namesOf(reading.archive), ["etc/", "etc/conf"]);
  await reading[Symbol.asyncDispose]();
  for (const name of ["secret", "new"]) {
    // After a job that failed, too.
    await assert.rejects(statPath(open, `${layers.outside}/secret`), { kind: "not-found" });
    assert.equal((await statPath(open, "/etc/new")).name, "new", name);
  }
  await using nowhere = new OpenFiles({ kind: "folder", path: join(layers.root, "none") });
  for (let time = 0; time < 2; time++)
    await assert.rejects(statPath(nowhere, "/etc/passwd"), { kind: "invalid-argument" });
});

test("changes are told as Docker tells them", async () => {
  await using layers = await openLayers();
  await mkdir(join(layers.lower, "gone"));
  await mkdir(join(layers.lower, "again"));
  await writeFile(join(layers.lower, "again/old"), "o");
  const write = [
    file("etc/conf", "other"),
    folder("made"),
    file("made/x"),
    file("dev/console"),
    folder("kept/a"),
  ];
  await put(layers, "/", write);
  mknod(join(layers.upper, "gone"), 0o020000);
  await mkdir(join(layers.upper, "again"));
  setXattr(join(layers.upper, "again"), "trusted.overlay.opaque", Buffer.from("y"));
  const lines = (
    await listChanges(
      { upper: layers.upper, lower: [layers.lower] },
      { leaveOut: ["dev", "dev/console", "vol"] },
    )
  ).map(({ path, kind }) => `${kind} ${path}`);
  assert.deepEqual(lines, [
    "modified /again",
    "deleted /again/old",
    "modified /etc",
    "modified /etc/conf",
    "deleted /gone",
    "added /kept",
    "added /kept/a",
    "added /made",
    "added /made/x",
  ]);
  const layer = readFiles(
    { kind: "folder", path: layers.upper },
    { kind: "layer", leaveOut: ["dev", "dev/console", "vol"] },
  );
  assert.deepEqual(await namesOf(layer), [
    "again/",
    "again/.wh..wh..opq",
    "etc/",
    "etc/conf",
    ".wh.gone",
    "kept/",
    "kept/a/",
    "made/",
    "made/x",
  ]);
  assert.equal(await measureFiles({ kind: "folder", path: layers.upper }), 5);
  const old = readFiles(
    { kind: "folder", path: layers.upper },
    { kind: "layer", leaveOut: [], latestNs: 7n },
  );
  for await (const { entry } of readTar(old)) assert.ok(entry.mtimeNs <= 7n, entry.path.toString());
});

test("what another process sees is a view too, without its /proc and /sys", async () => {
  await using namespace = await open("/proc/self/ns/mnt");
  const dir = await mkdtemp("/var/tmp/hawser-files-");
  try {
    await writeFile(join(dir, "here"), "h");
    const view: FilesRoot = { kind: "namespace", fd: namespace.fd, rootOnly: false };
    assert.equal((await statPath(view, join(dir, "here"))).sizeBytes, 1);
    for (const path of ["/proc/self", "/sys/kernel"]) {
      await assert.rejects(statPath(view, path), (error) => Fault.is(error, "not-found"), path);
      assert.ok((await stat(path)).isDirectory());
    }
  } finally {
    await rm(dir, { recursive: true });
  }
});

async function* chunks(...data: readonly Uint8Array[]) {
  yield* data;
}

test("a look tells of a file, links followed inside of the root, and of what is in a folder", async () => {
  await using layers = await openLayers();
  await symlink("/../../outside", join(layers.lower, "out"));
  await symlink("etc/conf", join(layers.lower, "link"));
  const look = async (path: string, isInside: boolean) => {
    const lines = await Array.fromAsync(readFiles(layers.view, { kind: "look", path, isInside }));
    const text = Buffer.concat(lines).toString().trim();
    return text === "" ? [] : text.split("\n").map((line) => JSON.parse(line) as FileNote);
  };
  const [conf] = await look("/link", false);
  assert.deepEqual([conf?.name, conf?.sizeBytes, conf?.linkPath], ["conf", 5, ""]);
  const inside = await look("/", true);
  assert.deepEqual(
    inside.map(({ name, linkPath }) => [name, linkPath]),
    [
      ["etc", ""],
      ["link", "etc/conf"],
      ["out", "/../../outside"],
      ["vol", ""],
    ],
  );
  await assert.rejects(look("/out", true), { kind: "not-found" });
  await assert.rejects(look("/none", false), { kind: "not-found" });
  await assert.rejects(look("/etc/conf", true), { kind: "invalid-argument" });
  assert.deepEqual(await look("/vol", true), []);
});

test("layers on a disk that has no room for one more file can be read, and say why they are not written to", async () => {
  await using layers = await openLayers();
  execFileSync("mount", ["-t", "tmpfs", "-o", "nr_inodes=4", "tmpfs", layers.outside]);
  try {
    const [upper, work] = [join(layers.outside, "upper"), join(layers.outside, "work")];
    for (const path of [upper, work, join(layers.outside, "last")]) await mkdir(path);
    const view = { kind: "layers", lower: [layers.lower], upper, work } as const;
    assert.equal((await statPath(view, "/etc/conf")).sizeBytes, 5);
    await assert.rejects(put({ ...layers, view }, "/", [file("new", "text")]), {
      kind: "resource-exhausted",
      message: /no space left on device/,
    });
  } finally {
    execFileSync("umount", [layers.outside]);
  }
});
