import assert from "node:assert/strict";
import { test } from "node:test";
import { findMountOf, parseMountInfo } from "./mount-info.ts";

const text = [
  "24 1 254:0 / / rw,relatime - ext4 /dev/vda rw",
  "30 24 0:21 / /srv rw shared:7 master:3 - tmpfs none rw,size=64k",
  "31 30 0:22 / /srv/a\\040b rw - tmpfs none rw",
  "32 24 0:23 / /srv rw - tmpfs second rw",
  "",
].join("\n");

test("parseMountInfo() knows the peers and the place of a mount", () => {
  assert.deepEqual(
    parseMountInfo(text).map(({ mountPoint, type, shared }) => [mountPoint, type, shared]),
    [
      ["/", "ext4", false],
      ["/srv", "tmpfs", true],
      ["/srv/a b", "tmpfs", false],
      ["/srv", "tmpfs", false],
    ],
  );
  assert.deepEqual(parseMountInfo(text)[0]?.options, ["rw", "relatime"]);
});

test("findMountOf() takes the deepest above a path, and of those at one place the last", () => {
  const mounts = parseMountInfo(text);
  const found = (path: string) => mounts.findIndex((mount) => mount === findMountOf(path, mounts));
  assert.deepEqual(["/", "/srv2", "/srv/x", "/srv", "/srv/a b/c"].map(found), [0, 0, 3, 3, 2]);
});
