import assert from "node:assert/strict";
import { test } from "node:test";
import {
  allCapabilities,
  capabilitySets,
  defaultCapabilities,
  parseCapabilityMask,
  resolveCapabilities,
} from "./capabilities.ts";

const resolve = (
  request: { add?: string[]; drop?: string[]; privileged?: boolean },
  available?: readonly string[],
) => new Set(resolveCapabilities({ add: [], drop: [], privileged: false, ...request }, available));

test("without a wish there are Docker's fourteen, which the kernel shows as a80425fb", () => {
  assert.equal(defaultCapabilities.length, 14);
  assert.deepEqual(resolve({}), new Set(parseCapabilityMask("00000000a80425fb")));
});

test("adding and dropping, with and without CAP_, in any case", () => {
  const kept = resolve({ add: ["net_admin", "CAP_SYS_PTRACE"], drop: ["chown", "CAP_KILL"] });
  const expected = new Set(defaultCapabilities);
  expected.add("CAP_NET_ADMIN").add("CAP_SYS_PTRACE").delete("CAP_CHOWN");
  expected.delete("CAP_KILL");
  assert.deepEqual(kept, expected);
});

test("ALL means all, in both directions", () => {
  assert.equal(resolve({ add: ["ALL"] }).size, allCapabilities.length);
  assert.ok(!resolve({ add: ["all"], drop: ["SYS_ADMIN"] }).has("CAP_SYS_ADMIN"));
  assert.deepEqual(resolve({ drop: ["ALL"] }), new Set());
  assert.deepEqual(resolve({ drop: ["ALL"], add: ["CHOWN"] }), new Set(["CAP_CHOWN"]));
});

test("what is added is kept although it is dropped too", () => {
  assert.ok(resolve({ add: ["CHOWN"], drop: ["CHOWN"] }).has("CAP_CHOWN"));
});

test("a host that lacks a capability cannot give it away with all others", () => {
  const available = allCapabilities.filter((name) => name !== "CAP_SYS_RESOURCE" && name !== "CAP_MKNOD");
  assert.deepEqual(resolve({ privileged: true }, available), new Set(available));
  assert.deepEqual(resolve({ add: ["ALL"] }, available), new Set(available));
  assert.ok(!resolve({}, available).has("CAP_MKNOD"));
});

test("only root holds its capabilities; nobody inherits any", () => {
  assert.deepEqual(capabilitySets(["CAP_KILL"], 0), {
    bounding: ["CAP_KILL"],
    effective: ["CAP_KILL"],
    permitted: ["CAP_KILL"],
    inheritable: [],
    ambient: [],
  });
  assert.deepEqual(capabilitySets(["CAP_KILL"], 1000).effective, []);
});
