import assert from "node:assert/strict";
import { test } from "node:test";
import type { RuntimeSeccomp } from "@hawser/oci";
import { allCapabilities, defaultCapabilities } from "./capabilities.ts";
import { resolveSeccomp } from "./seccomp.ts";
import { defaultSeccompPolicy } from "./seccomp-default-policy.ts";
import { parseSeccompProfile } from "./seccomp-policy.ts";

const host = { architecture: "x64", kernelRelease: "6.1.0-18-amd64", capabilities: defaultCapabilities };
const resolveDefault = (changes: Partial<typeof host> = {}) =>
  resolveSeccomp(defaultSeccompPolicy(), { ...host, ...changes });

/** Calls that are allowed whatever their arguments. */
function allowed({ syscalls = [] }: RuntimeSeccomp): ReadonlySet<string> {
  const open = syscalls.filter(({ action, args }) => action === "SCMP_ACT_ALLOW" && args === undefined);
  return new Set(open.flatMap(({ names }) => names));
}

test("by default what a container lives on is allowed, what the host dies of is not", () => {
  const calls = allowed(resolveDefault());
  for (const name of ["read", "execve", "fork", "chroot", "arch_prctl", "ptrace", "openat2"]) {
    assert.ok(calls.has(name), name);
  }
  for (const name of [
    "mount",
    "bpf",
    "reboot",
    "init_module",
    "kexec_load",
    "keyctl",
    "unshare",
    "io_uring_setup",
  ]) {
    assert.ok(!calls.has(name), name);
  }
});

test("new namespaces are refused by clone's flags, and clone3 as if it were unknown", () => {
  const { syscalls = [], defaultErrnoRet } = resolveDefault();
  const rulesOf = (name: string) => syscalls.filter(({ names }) => names.includes(name));
  assert.equal(defaultErrnoRet, 1);
  assert.deepEqual(rulesOf("clone"), [
    {
      names: ["clone"],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, value: 0x7e020000, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
    },
  ]);
  assert.deepEqual(rulesOf("clone3"), [{ names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38 }]);
});

test("capabilities open the calls that they are for", () => {
  const calls = allowed(resolveDefault({ capabilities: allCapabilities }));
  for (const name of ["mount", "clone", "clone3", "bpf", "reboot", "settimeofday", "acct", "kcmp"]) {
    assert.ok(calls.has(name), name);
  }
  assert.ok(!allowed(resolveDefault({ capabilities: [] })).has("chroot"));
});

test("an old kernel, on which ptrace can escape the filter, has no ptrace", () => {
  assert.ok(!allowed(resolveDefault({ kernelRelease: "4.7.10" })).has("ptrace"));
  assert.ok(allowed(resolveDefault({ kernelRelease: "4.8" })).has("ptrace"));
});

test("the architecture decides which filters there are, and on s390 where clone's flags are", () => {
  assert.deepEqual(resolveDefault().architectures, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
  assert.deepEqual(resolveDefault({ architecture: "arm64" }).architectures, [
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_ARM",
  ]);
  assert.ok(allowed(resolveDefault({ architecture: "arm64" })).has("cacheflush"));
  const clone = resolveDefault({ architecture: "s390x" }).syscalls?.find(({ names }) =>
    names.includes("clone"),
  );
  assert.equal(clone?.args?.[0]?.index, 1);
});

test("a profile of one's own", () => {
  const profile = parseSeccompProfile(`{
    "defaultAction": "SCMP_ACT_ERRNO",
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
    "syscalls": [
      {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [], "comment": "", "includes": {}, "excludes": {}},
      {"name": "write", "action": "SCMP_ACT_ALLOW", "args": null},
      {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
      {"names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd64"]}},
      {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 97, "args": [{"index": 0, "value": 16, "op": "SCMP_CMP_EQ"}]}
    ]}`);
  assert.deepEqual(resolveSeccomp(profile, host).syscalls, [
    { names: ["read", "write"], action: "SCMP_ACT_ALLOW" },
    {
      names: ["socket"],
      action: "SCMP_ACT_ERRNO",
      errnoRet: 97,
      args: [{ index: 0, value: 16, valueTwo: 0, op: "SCMP_CMP_EQ" }],
    },
  ]);
});

test("a profile that is none is refused with the place", () => {
  const refused = {
    "{": /JSON/,
    "[]": /profile: an object was wanted/,
    "{}": /defaultAction: a text was wanted/,
    '{"defaultAction":"x","syscalls":[{"names":[1],"action":"y"}]}':
      /syscalls\[0\]\.names\[0\]: a text was wanted/,
    '{"defaultAction":"x","syscalls":[{"name":"a","names":["b"],"action":"y"}]}': /both 'name' and 'names'/,
    '{"defaultAction":"x","architectures":["a"],"archMap":[{}]}': /both 'architectures' and 'archMap'/,
    '{"defaultAction":"x","syscalls":[{"names":["a"],"action":"y","args":[{"index":0,"value":-1,"op":"z"}]}]}':
      /args\[0\]\.value: a whole number was wanted/,
  };
  for (const [text, message] of Object.entries(refused)) {
    assert.throws(() => parseSeccompProfile(text), { kind: "invalid-argument", message }, text);
  }
});
