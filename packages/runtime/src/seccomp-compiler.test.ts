import assert from "node:assert/strict";
import { test } from "node:test";
import { programRequest } from "./seccomp-compiler.ts";
import { defaultCapabilities } from "./spec/capabilities.ts";
import { resolveSeccomp } from "./spec/seccomp.ts";
import { defaultSeccompPolicy } from "./spec/seccomp-default-policy.ts";

const policy = resolveSeccomp(defaultSeccompPolicy(), {
  architecture: "x64",
  kernelRelease: "6.1.0",
  capabilities: defaultCapabilities,
});

test("Docker's default policy in libseccomp's numbers", () => {
  const request = programRequest(policy);
  assert.ok(request);
  assert.equal(request.defaultAction, 0x50001);
  assert.deepEqual(request.architectures, [0xc000003e, 0x40000003, 0x4000003e]);
  const rulesOf = (wanted: string) => request.rules.filter(({ name }) => name === wanted);
  assert.deepEqual(rulesOf("read"), [{ action: 0x7fff0000, name: "read", comparisons: [] }]);
  assert.deepEqual(rulesOf("clone3"), [{ action: 0x50000 + 38, name: "clone3", comparisons: [] }]);
  assert.deepEqual(rulesOf("clone"), [
    {
      action: 0x7fff0000,
      name: "clone",
      comparisons: [{ argument: 0, operator: 7, value: 0x7e020000n, valueTwo: 0n }],
    },
  ]);
});

test("what says the same as the default is left out, as libseccomp wants it", () => {
  const syscalls = [
    { names: ["a"], action: "SCMP_ACT_ERRNO", errnoRet: 1 },
    { names: ["b"], action: "SCMP_ACT_ERRNO", errnoRet: 2 },
  ];
  const request = programRequest({ defaultAction: "SCMP_ACT_ERRNO", syscalls });
  assert.deepEqual(request?.rules, [{ action: 0x50002, name: "b", comparisons: [] }]);
});

test("what only the runtime can do is left to it", () => {
  const plain = { defaultAction: "SCMP_ACT_ALLOW" };
  assert.ok(programRequest(plain));
  for (const seccomp of [
    { ...plain, flags: ["SECCOMP_FILTER_FLAG_LOG"] },
    { ...plain, architectures: ["SCMP_ARCH_VAX"] },
    { ...plain, syscalls: [{ names: ["a"], action: "SCMP_ACT_NOTIFY" }] },
    { defaultAction: "nonsense" },
    {
      ...plain,
      syscalls: [
        { names: ["a"], action: "SCMP_ACT_ERRNO", args: [{ index: 0, value: 1, op: "SCMP_CMP_SIMILAR" }] },
      ],
    },
  ]) {
    assert.equal(programRequest(seccomp), undefined, JSON.stringify(seccomp));
  }
});
