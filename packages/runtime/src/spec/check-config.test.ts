import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerConfig, HostConfig } from "../container-config.ts";
import { makeConfig, makeHostConfig, makeHostFacts } from "../testing/container-config.ts";
import { checkConfig } from "./check-config.ts";
import { withoutDiscarded } from "./check-resources.ts";
import type { HostFacts } from "./spec-input.ts";

const check = (
  hostConfig: Partial<HostConfig>,
  config: Partial<ContainerConfig> = {},
  host: Partial<HostFacts> = {},
) => checkConfig({ config: makeConfig(config), hostConfig: makeHostConfig(hostConfig) }, makeHostFacts(host));

const mib = 1 << 20;
const bind = (source: string, target: string, more: object = {}) =>
  ({ type: "bind", source, target, readOnly: false, ...more }) as const;

/** Request → dockerd 20.10.24's answer, recorded; some of it comes only at the start there. */
const refusals: readonly (readonly [Partial<HostConfig>, string])[] = [
  [{ capAdd: ["FOO"] }, 'invalid CapAdd: unknown capability: "CAP_FOO"'],
  [{ capDrop: ["FOO"] }, 'invalid CapDrop: unknown capability: "CAP_FOO"'],
  [{ privileged: true, capAdd: ["FOO"] }, 'invalid CapAdd: unknown capability: "CAP_FOO"'],
  [{ securityOpt: ["foo"] }, 'invalid --security-opt 1: "foo"'],
  [{ securityOpt: ["foo=bar"] }, 'invalid --security-opt 2: "foo=bar"'],
  [{ securityOpt: ["no-new-privileges:maybe"] }, 'invalid --security-opt 2: "no-new-privileges:maybe"'],
  [{ securityOpt: ["systempaths=x"] }, 'invalid --security-opt 2: "systempaths=x"'],
  [{ securityOpt: ["writable-cgroups=x"] }, 'invalid --security-opt 2: "writable-cgroups=x"'],
  [{ memoryBytes: 1024 }, "Minimum memory limit allowed is 6MB"],
  [{ memoryBytes: -1 }, "Minimum memory limit allowed is 6MB"],
  [
    { memoryBytes: 64 * mib, memorySwapBytes: 32 * mib },
    "Minimum memoryswap limit should be larger than memory limit, see usage",
  ],
  [
    { memorySwapBytes: 64 * mib },
    "You should always set the Memory limit when using Memoryswap limit, see usage",
  ],
  [{ memorySwappiness: 101 }, "Invalid value: 101, valid memory swappiness range is 0-100"],
  [
    { memoryBytes: 8 * mib, memoryReservationBytes: 16 * mib },
    "Minimum memory limit can not be less than memory reservation limit, see usage",
  ],
  [{ memoryReservationBytes: 1024 }, "Minimum memory reservation allowed is 6MB"],
  [{ nanoCpus: 9e9 }, "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"],
  [{ nanoCpus: -1 }, "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"],
  [
    { nanoCpus: 1e9, cpuPeriodUs: 100_000 },
    "Conflicting options: Nano CPUs and CPU Period cannot both be set",
  ],
  [{ nanoCpus: 1e9, cpuQuotaUs: 100_000 }, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"],
  [
    { cpuPeriodUs: 10 },
    "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
  ],
  [{ cpuQuotaUs: 10 }, "CPU cfs quota can not be less than 1ms (i.e. 1000)"],
  [{ cpusetCpus: "abc" }, "Invalid value abc for cpuset cpus: invalid format: abc"],
  [{ cpusetCpus: "77" }, "Requested CPUs are not available - requested 77, available: 0-1"],
  [{ cpusetMems: "9" }, "Requested memory nodes are not available - requested 9, available: 0"],
  [{ oomScoreAdj: 2000 }, "Invalid value 2000, range for oom score adj is [-1000, 1000]"],
  [{ shmSizeBytes: -1 }, "SHM size can not be less than 0"],
  [{ cgroupnsMode: "foo" }, "invalid cgroup namespace mode: foo"],
  [{ binds: ["a:b:c:d"] }, "invalid volume specification: 'a:b:c:d'"],
  [{ binds: [":/b"] }, "invalid volume specification: ':/b'"],
  [{ binds: ["/a:/b:ro:"] }, "invalid volume specification: '/a:/b:ro:'"],
  [{ binds: ["/a:/b:zz"] }, "invalid mode: zz"],
  [{ binds: ["/a:/b:ro,rw"] }, "invalid mode: ro,rw"],
  [
    { binds: ["/a::ro"] },
    "invalid volume specification: '/a::ro': invalid mount config for type \"bind\": field Target must not be empty",
  ],
  [
    { binds: ["/a:/"] },
    "invalid volume specification: '/a:/': invalid mount config for type \"bind\": invalid specification: destination can't be '/'",
  ],
  [
    { binds: ["/a:b"] },
    "invalid volume specification: '/a:b': invalid mount config for type \"bind\": invalid mount path: 'b' mount path must be absolute",
  ],
  [
    { binds: ["a/b:/c"] },
    'create a/b: "a/b" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
  ],
  [
    { binds: ["x:/b"] },
    "create x: volume name is too short, names should be at least two alphanumeric characters",
  ],
  [
    { binds: ["/a:/b:nocopy"] },
    "invalid volume specification: '/a:/b:nocopy': invalid mount config for type \"bind\": field VolumeOptions must not be specified",
  ],
  [
    { binds: ["vol:/b:rshared"] },
    "invalid volume specification: 'vol:/b:rshared': invalid mount config for type \"volume\": field BindOptions must not be specified",
  ],
  [{ binds: ["/tmp:/a", "/tmp:/a"] }, "Duplicate mount point: /a"],
  [{ binds: ["/tmp:/a"], tmpfs: { "/a": "" } }, "Duplicate mount point: /a"],
  [{ tmpfs: { a: "" } }, "invalid mount path: 'a' mount path must be absolute"],
  [{ tmpfs: { "/": "" } }, "invalid specification: destination can't be '/'"],
  [{ tmpfs: { "/a": "foo" } }, 'invalid tmpfs option ["foo"]'],
  [
    { mounts: [bind("x", "/a")] },
    "invalid mount config for type \"bind\": invalid mount path: 'x' mount path must be absolute",
  ],
  [
    { mounts: [bind("/tmp", "/")] },
    "invalid mount config for type \"bind\": invalid specification: destination can't be '/'",
  ],
  [
    { mounts: [bind("/tmp", "/a", { bind: { propagation: "x" } })] },
    'invalid mount config for type "bind": invalid propagation mode: x',
  ],
  [{ mounts: [bind("", "/a")] }, 'invalid mount config for type "bind": field Source must not be empty'],
  [
    { mounts: [{ type: "tmpfs", source: "/tmp", target: "/a", readOnly: false }] },
    'invalid mount config for type "tmpfs": field Source must not be specified',
  ],
  [
    { mounts: [{ type: "volume", source: "", target: "/a", readOnly: true }] },
    'invalid mount config for type "volume": must not set ReadOnly mode when using anonymous volumes',
  ],
  [{ deviceCgroupRules: ["x"] }, "invalid device cgroup rule format: 'x'"],
  [
    { autoRemove: true, restartPolicy: { name: "always", maximumRetryCount: 0 } },
    "can't create 'AutoRemove' container with restart policy",
  ],
  [
    { networkMode: "host", sysctls: { "net.ipv4.ip_forward": "1" } },
    'sysctl "net.ipv4.ip_forward" not allowed in host network namespace',
  ],
  [{ sysctls: { "kernel.foo": "1" } }, 'sysctl "kernel.foo" is not in a separate kernel namespace'],
  [
    { ipcMode: "host", sysctls: { "kernel.msgmax": "1" } },
    'sysctl "kernel.msgmax" is not allowed in the hosts ipc namespace',
  ],
];

for (const [hostConfig, message] of refusals) {
  test(`refused in Docker's words: ${JSON.stringify(hostConfig)}`, () => {
    assert.throws(() => check(hostConfig), { kind: "invalid-argument", message });
  });
}

test("refused in Docker's words: what belongs to the container itself", () => {
  assert.throws(() => check({}, { stopSignal: "FOO" }), { message: "invalid signal: FOO" });
  assert.throws(() => check({}, { env: ["=x"] }), { message: "invalid environment variable: =x" });
  assert.throws(() => check({}, { workingDir: "x" }), {
    message: "the working directory 'x' is invalid, it needs to be an absolute path",
  });
});

test("refused earlier than Docker does, which lets the OCI runtime fail or takes it for the default", () => {
  for (const hostConfig of [
    { pidMode: "foo" },
    { ipcMode: "foo" },
    { utsMode: "foo" },
    { blkioWeight: 5 },
    { cpuShares: -1 },
    { ulimits: [{ name: "foo", soft: 1, hard: 1 }] },
    { ulimits: [{ name: "nofile", soft: 2, hard: 1 }] },
  ] satisfies Partial<HostConfig>[]) {
    assert.throws(() => check(hostConfig), { kind: "invalid-argument" }, JSON.stringify(hostConfig));
  }
});

test("a reasonable request passes without a warning", () => {
  const warnings = check({
    memoryBytes: 64 * mib,
    nanoCpus: 1.5e9,
    cpusetCpus: "0,1",
    binds: ["/tmp:/a:ro,rslave,z", "data:/b:nocopy", "/c"],
    tmpfs: { "/run": "size=1m,exec" },
    capAdd: ["net_admin"],
    securityOpt: ["no-new-privileges:true", "label=disable", "seccomp=unconfined"],
    sysctls: { "net.core.somaxconn": "1024", "kernel.shmmax": "1" },
  });
  assert.deepEqual(warnings, []);
});

test("warned of, and left out: shares of block devices that the kernel does not know", () => {
  const asked = { blkioWeight: 300, blkioWeightDevice: [{ path: "/dev/vda", weight: 200 }] };
  const host = { blockWeight: false, blockDeviceWeight: false };
  assert.deepEqual(check(asked, {}, host), [
    "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.",
    "Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.",
  ]);
  assert.deepEqual(withoutDiscarded(asked, makeHostFacts(host)), { blkioWeight: 0, blkioWeightDevice: [] });
  assert.deepEqual(withoutDiscarded({ blkioWeight: 300 }, makeHostFacts(host)), { blkioWeight: 0 });
  assert.deepEqual(check(asked), []);
  assert.deepEqual(withoutDiscarded(asked, makeHostFacts()), asked);
});

test("warned of: a container that the kernel may not kill, without a memory limit", () => {
  assert.deepEqual(check({ oomKillDisable: true }), [
    "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.",
  ]);
});
