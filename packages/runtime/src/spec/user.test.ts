import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveUser } from "./user.ts";

const passwd = [
  "root:x:0:0:root:/root:/bin/sh",
  "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin",
  "broken line",
  "alice:x:1000:100:Alice:/home/alice:/bin/sh",
  "1001:x:7:8:a user named as a number:/home/seven:/bin/sh",
].join("\n");
const group = ["root:x:0:", "users:x:100:", "wheel:x:10:alice,root", "docker:x:999:alice"].join("\n");

test("users and groups are found by name and by number", () => {
  const expected = {
    "": { uid: 0, gid: 0, additionalGids: [10], home: "/root" },
    root: { uid: 0, gid: 0, additionalGids: [10], home: "/root" },
    alice: { uid: 1000, gid: 100, additionalGids: [10, 999], home: "/home/alice" },
    "1000": { uid: 1000, gid: 100, additionalGids: [10, 999], home: "/home/alice" },
    "alice:docker": { uid: 1000, gid: 999, additionalGids: [], home: "/home/alice" },
    "alice:77": { uid: 1000, gid: 77, additionalGids: [], home: "/home/alice" },
    "4242": { uid: 4242, gid: 0, additionalGids: [], home: "/" },
    "4242:4243": { uid: 4242, gid: 4243, additionalGids: [], home: "/" },
    ":users": { uid: 0, gid: 100, additionalGids: [], home: "/root" },
    "1001": { uid: 7, gid: 8, additionalGids: [], home: "/home/seven" },
  };
  for (const [user, resolved] of Object.entries(expected)) {
    assert.deepEqual(resolveUser(user, { passwd, group }), resolved, user);
  }
});

test("further groups come by name or number, each once, the primary one not at all", () => {
  const groupAdd = ["docker", "100", "4000", "wheel"];
  const { additionalGids } = resolveUser("alice", { passwd, group, groupAdd });
  assert.deepEqual(additionalGids, [10, 999, 4000]);
});

test("an image without account files knows numbers only", () => {
  assert.deepEqual(resolveUser("", { passwd: "", group: "" }), {
    uid: 0,
    gid: 0,
    additionalGids: [],
    home: "/",
  });
  assert.throws(() => resolveUser("bob", { passwd: "", group: "" }), {
    message: "unable to find user bob: no matching entries in passwd file",
  });
});

test("unknown names and impossible numbers are refused in Docker's words", () => {
  const refused = {
    bob: "unable to find user bob: no matching entries in passwd file",
    "alice:nope": "unable to find group nope: no matching entries in group file",
    "2147483648": "uids and gids must be in range 0-2147483647",
    "-1": "uids and gids must be in range 0-2147483647",
    "0:99999999999": "uids and gids must be in range 0-2147483647",
  };
  for (const [user, message] of Object.entries(refused)) {
    assert.throws(() => resolveUser(user, { passwd, group }), { kind: "invalid-argument", message }, user);
  }
});

test("an account file cannot smuggle in an impossible id", () => {
  const hostile = "evil:x:4294967296:0::/:/bin/sh\nworse:x:0:-5::/:/bin/sh";
  for (const user of ["evil", "worse"]) {
    assert.throws(() => resolveUser(user, { passwd: hostile, group: "" }), {
      message: "uids and gids must be in range 0-2147483647",
    });
  }
});
