import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { setTimesNs } from "@hawser/linux";
import type { CopyJob } from "./files-job.ts";
import { OpenFiles } from "./open-files.ts";
import { copyFile, statPath } from "./run-files-job.ts";

const timeNs = 1_600_000_000_123_456_789n;

/** An image's layers below a container's, with a file of one name outside of both, in the one, and in the other. */
async function openRoots() {
  const dir = await openTempDir();
  const at = (...parts: readonly string[]) => join(dir.path, ...parts);
  for (const name of ["lower", "upper", "work", "below", "source", "source/tree/sub"]) {
    mkdirSync(at(name), { recursive: true });
  }
  writeFileSync(at("secret"), "outside");
  writeFileSync(at("source/secret"), "of the source");
  writeFileSync(at("lower/secret"), "of the target");
  writeFileSync(at("source/tree/sub/file"), "text");
  const target = new OpenFiles({
    kind: "layers",
    lower: [at("lower")],
    upper: at("upper"),
    work: at("work"),
  });
  const resources = new AsyncDisposableStack();
  resources.use(dir);
  resources.use(target);
  const copy = (job: Partial<CopyJob>) =>
    copyFile(target, {
      source: { kind: "layers", lower: [at("source"), at("below")] },
      path: "/tree",
      folder: "/",
      place: "copy",
      isContent: false,
      exclude: [],
      shownAs: "",
      parents: [],
      change: {},
      ...job,
    });
  return { at, copy, target, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

test("a tree is copied with all that it has, and what is there stays", async () => {
  await using roots = await openRoots();
  const { at, copy } = roots;
  linkSync(at("source/tree/sub/file"), at("source/tree/again"));
  chmodSync(at("source/tree/sub/file"), 0o4750);
  symlinkSync("sub/file", at("source/tree/link"));
  setTimesNs(at("source/tree/sub"), timeNs, timeNs);
  mkdirSync(at("lower/copy"));
  writeFileSync(at("lower/copy/kept"), "kept");
  mkdirSync(at("lower/copy/link"));
  await copy({});
  const made = (path: string) => at("upper/copy", path);
  assert.equal(readFileSync(made("sub/file"), "utf8"), "text");
  assert.equal(lstatSync(made("sub/file")).mode & 0o7777, 0o4750);
  assert.equal(lstatSync(made("again")).ino, lstatSync(made("sub/file")).ino);
  assert.equal(readlinkSync(made("link")), "sub/file");
  assert.equal(lstatSync(made("sub"), { bigint: true }).mtimeNs, timeNs);
  const kept = await statPath(roots.target, "/copy/kept");
  assert.equal(kept.sizeBytes, 4);
});

test("files of every size are copied whole, one after the other", async () => {
  await using roots = await openRoots();
  const { at, copy } = roots;
  const piece = 256 << 10;
  const files = [0, 1, piece - 1, piece, piece + 1, 2 * piece, 3 * piece + 7].map(
    (size, number) => [`tree/${number}`, randomBytes(size)] as const,
  );
  for (const [path, bytes] of files) writeFileSync(at("source", path), bytes);
  await copy({ place: "tree" });
  for (const [path, bytes] of files) assert.ok(readFileSync(at("upper", path)).equals(bytes), path);
});

test("no link leads from the one root to the other, nor out of both", async () => {
  await using roots = await openRoots();
  const { at, copy } = roots;
  symlinkSync("/secret", at("source/way"));
  symlinkSync("../../../../..", at("source/tree/up"));
  symlinkSync("/real", at("lower/app"));
  mkdirSync(at("lower/real"));
  await copy({ path: "/way", place: "way" });
  assert.equal(readlinkSync(at("upper/way")), "/secret");
  await copy({ path: "/tree/up/secret", folder: "/app", place: "read" });
  assert.equal(readFileSync(at("upper/real/read"), "utf8"), "of the source");
  // Its own root again, for what comes after.
  assert.equal((await statPath(roots.target, "/secret")).sizeBytes, "of the target".length);
  symlinkSync("/secret", at("lower/trap"));
  await copy({ path: "/tree/sub/file", place: "trap" });
  assert.equal(readFileSync(at("upper/trap"), "utf8"), "text");
  assert.equal(readFileSync(at("secret"), "utf8"), "outside");
  assert.equal((await statPath(roots.target, "/secret")).sizeBytes, "of the target".length);
});

test("a folder that is left out comes when something in it does not", async () => {
  await using roots = await openRoots();
  const { at, copy } = roots;
  for (const name of ["drop/deep", "gone"]) mkdirSync(at("source/tree", name), { recursive: true });
  for (const name of ["drop/kept.md", "drop/other", "drop/deep/more.md", "gone/file"])
    writeFileSync(at("source/tree", name), name);
  await copy({ exclude: ["*", "!**/*.md"] });
  const found = readdirSync(at("upper/copy"), { recursive: true, encoding: "utf8" });
  assert.deepEqual(found.toSorted(), ["drop", "drop/deep", "drop/deep/more.md", "drop/kept.md"]);
});

test("what is left out takes none of its other names along, and what is to change does", async () => {
  await using roots = await openRoots();
  const { at, copy } = roots;
  mkdirSync(at("source/tree/drop"));
  writeFileSync(at("source/tree/drop/first"), "one file");
  linkSync(at("source/tree/drop/first"), at("source/tree/other"));
  const folder = { path: "made", mode: 0o700, uid: 5, gid: 6, mtimeNs: timeNs };
  await copy({
    place: "made/copy",
    isContent: true,
    exclude: ["drop"],
    parents: [folder, { ...folder, path: "made/copy" }],
    change: { owner: { uid: 7, gid: 8 }, modeText: "u=rwX,go=", timeNs },
  });
  assert.equal(lstatSync(at("upper/made/copy/drop"), { throwIfNoEntry: false }), undefined);
  assert.equal(readFileSync(at("upper/made/copy/other"), "utf8"), "one file");
  const facts = ["made", "made/copy", "made/copy/sub", "made/copy/sub/file"].map((path) => {
    const { uid, gid, mode, mtimeNs } = statSync(at("upper", path), { bigint: true });
    return [uid, gid, mode & 0o7777n, mtimeNs];
  });
  assert.deepEqual(facts, [
    [5n, 6n, 0o700n, timeNs],
    [5n, 6n, 0o700n, timeNs],
    [7n, 8n, 0o700n, timeNs],
    [7n, 8n, 0o600n, timeNs],
  ]);
  await assert.rejects(copy({ path: "/nothing" }), { kind: "not-found" });
});
