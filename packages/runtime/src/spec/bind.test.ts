import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBind } from "./bind.ts";
import { parseTmpfsOptions } from "./tmpfs.ts";

const plain = { readOnly: false, recursive: true, propagation: "rprivate", noCopy: false };

test("binds, volumes and anonymous volumes", () => {
  assert.deepEqual(parseBind("/a//b/:/c/"), { ...plain, kind: "bind", source: "/a/b/", target: "/c" });
  assert.deepEqual(parseBind("data:/c:ro,nocopy"), {
    ...plain,
    kind: "volume",
    source: "data",
    target: "/c",
    readOnly: true,
    noCopy: true,
  });
  assert.deepEqual(parseBind("/c"), { ...plain, kind: "volume", source: "", target: "/c" });
  assert.equal(parseBind("/a:/b:rslave,ro,Z,delegated").propagation, "rslave");
});

test("a target cannot climb out of the container", () => {
  assert.equal(parseBind("/a:/b/../../c").target, "/c");
  assert.throws(() => parseBind("/a:/b/.."), /destination can't be '\/'/);
});

test("a tmpfs is safe unless asked otherwise; of two options about the same thing the later counts", () => {
  assert.deepEqual(parseTmpfsOptions(""), ["noexec", "nosuid", "nodev", "rprivate"]);
  assert.deepEqual(
    new Set(parseTmpfsOptions("exec,size=1m,size=2m,ro,rw,mode=1777")),
    new Set(["nosuid", "nodev", "rprivate", "exec", "size=2m", "rw", "mode=1777"]),
  );
});

test("a tmpfs has no options but its own", () => {
  for (const options of ["lowerdir=/", "size", "bind", "noexec=1", "x,exec"]) {
    assert.throws(() => parseTmpfsOptions(options), { kind: "invalid-argument" }, options);
  }
});
