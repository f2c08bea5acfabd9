import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { getXattr, mknod, setTimesNs, setXattr } from "@hawser/linux";
import { readWritten, type WrittenFolder } from "../files/run-files-job.ts";
import type { HeldLayer } from "../layers/layer-store.ts";
import { openTestStore } from "../testing/open-test-store.ts";

const latestNs = 1_700_000_000_000_000_000n;
const earlierNs = 1_500_000_000_123_456_789n;

/** Of everything that an overlay's writable folder may hold. */
async function write(top: string): Promise<void> {
  const at = (path: string) => join(top, path);
  chmodSync(top, 0o700);
  for (const folder of ["etc", "etc/made", "hides", "old"]) mkdirSync(at(folder));
  setXattr(at("hides"), "trusted.overlay.opaque", Buffer.from("y"));
  writeFileSync(at("etc/file"), "content");
  chownSync(at("etc/file"), 1000, 1001);
  chmodSync(at("etc/file"), 0o4755);
  setXattr(at("etc/file"), "user.k", Buffer.from("v"));
  linkSync(at("etc/file"), at("same"));
  symlinkSync("/nowhere", at("link"));
  writeFileSync(at("old/file"), "old");
  for (const path of ["old/file", "old"]) setTimesNs(at(path), earlierNs, earlierNs);
  mknod(at("gone"), 0o020000, 0);
  execFileSync("mkfifo", [at("pipe")]);
  // What others put there, and what no archive holds.
  for (const path of ["etc/hosts", "etc/made/hostname"]) writeFileSync(at(path), "");
  await new Promise<void>((resolve) => {
    const server = createServer().listen(at("socket"), () => {
      server.removeAllListeners().unref();
      resolve();
    });
  });
}

function look(top: string): readonly unknown[] {
  return readdirSync(top, { recursive: true, encoding: "utf8" })
    .toSorted()
    .map((path) => {
      const full = join(top, path);
      const stats = lstatSync(full, { bigint: true });
      const { mode, uid, gid, rdev } = stats;
      return {
        path,
        facts: [mode, uid, gid, rdev, stats.isDirectory() ? 0n : stats.nlink],
        timeNs: stats.isCharacterDevice() ? 0n : stats.mtimeNs, // nobody sees a whiteout's
        content: stats.isFile() ? readFileSync(full, "utf8") : undefined,
        link: stats.isSymbolicLink() ? readlinkSync(full) : undefined,
        xattrs: ["user.k", "trusted.overlay.opaque"].map((name) => getXattr(full, name)?.toString()),
      };
    });
}

const layerOf = ({ layer: { chainId, diffId, sizeBytes } }: HeldLayer) => ({ chainId, diffId, sizeBytes });

test("a folder that is taken is the layer that its archive would have been unpacked to", async () => {
  await using taking = await openTestStore();
  await using unpacking = await openTestStore();
  const { upper } = await taking.store.snapshots.prepare("written");
  await write(upper);
  const folder: WrittenFolder = {
    path: upper,
    leaveOut: ["etc/hosts", "etc/made", "etc/made/hostname"],
    latestNs,
  };
  const archive = await Array.fromAsync(readWritten(folder));
  using unpacked = await unpacking.store.images.layers.add(
    (async function* () {
      yield* archive;
    })(),
    {},
  );
  using taken = await taking.store.images.layers.make(folder, {});
  assert.ok(taken !== undefined && unpacked !== undefined);
  assert.equal((await taking.counts())["content/sha256"], undefined);
  using sealed = await taking.store.images.layers.seal(taken.layer.chainId);
  const { chainId, diffId, sizeBytes } = sealed.layer;
  assert.deepEqual({ chainId, diffId, sizeBytes }, layerOf(unpacked));
  assert.deepEqual(taking.store.snapshots.lowerFolders(chainId), [
    ...taking.store.snapshots.lowerFolders(taken.layer.chainId),
  ]);
  const [made = "", wanted = ""] = [taking, unpacking].map(
    ({ store }) => store.snapshots.lowerFolders(chainId)[0],
  );
  assert.ok(look(wanted).length > 8);
  assert.deepEqual(look(made), look(wanted));
  assert.equal(lstatSync(made).mode, lstatSync(wanted).mode);
  assert.ok(!existsSync(upper));
  await taking.store.snapshots.remove("written");
  const store = await taking.reopen();
  assert.deepEqual(store.snapshots.list(), []);
});
