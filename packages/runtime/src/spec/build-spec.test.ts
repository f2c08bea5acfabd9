import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { formatRuntimeSpec, type RuntimeMount, type RuntimeSpec } from "@hawser/oci";
import type { ContainerConfig, HostConfig } from "../container-config.ts";
import { makeSpecInput } from "../testing/container-config.ts";
import { parseBind } from "./bind.ts";
import { buildSpec } from "./build-spec.ts";

/** What dockerd 20.10.24 wrote for the same request, without its seccomp policy (see seccomp.test.ts), hooks and paths. */
interface Recorded {
  readonly name: string;
  readonly config: Partial<ContainerConfig>;
  readonly hostConfig: Partial<HostConfig>;
  readonly spec: DeepPartial<RuntimeSpec>;
}
type DeepPartial<T> = { readonly [K in keyof T]?: DeepPartial<T[K]> };

const recorded = JSON.parse(
  readFileSync(new URL("testdata/dockerd-20.10-specs.json", import.meta.url), "utf8"),
) as readonly Recorded[];

for (const { name, config, hostConfig, spec: dockers } of recorded) {
  test(`dockerd and we write the same specification: ${name}`, () => {
    const ours = build(config, hostConfig);
    assert.deepEqual(comparable(ours), comparable(dockers as RuntimeSpec));
  });
}

function build(config: Partial<ContainerConfig>, hostConfig: Partial<HostConfig>): RuntimeSpec {
  const fuse = {
    path: "/dev/fuse",
    type: "c",
    major: 10,
    minor: 229,
    fileMode: 0o600,
    uid: 0,
    gid: 0,
  } as const;
  const input = makeSpecInput({
    config,
    hostConfig,
    mounts: (hostConfig.binds ?? []).map(parseBind),
    devices: {
      mapped: (hostConfig.devices ?? []).map(({ cgroupPermissions: access }) => ({ ...fuse, access })),
      numbers: new Map(),
    },
  });
  return JSON.parse(formatRuntimeSpec(buildSpec(input))) as RuntimeSpec;
}

/** What both must agree on. Left out: what newer Docker versions changed, and what means nothing. */
function comparable(spec: RuntimeSpec) {
  const { process, linux } = spec;
  const { capabilities } = process;
  const sets = (["bounding", "effective", "permitted", "inheritable", "ambient"] as const).map((set) => [
    set,
    capabilities?.[set]?.toSorted() ?? [],
  ]);
  return {
    user: process.user,
    terminal: process.terminal ?? false,
    args: process.args,
    // runc adds HOME itself; we do, so that every runtime's container has it
    env: process.env.filter((entry) => !entry.startsWith("HOME=")),
    cwd: process.cwd,
    capabilities: Object.fromEntries(sets),
    rlimits: process.rlimits ?? [],
    noNewPrivileges: process.noNewPrivileges ?? false,
    oomScoreAdj: process.oomScoreAdj,
    readonlyRootfs: spec.root.readonly ?? false,
    hostname: spec.hostname ?? "",
    mounts: Object.fromEntries(spec.mounts.map((mount) => [mount.destination, comparableMount(mount)])),
    namespaces: linux.namespaces.map(({ type, path }) => `${type} ${path ?? ""}`).toSorted(),
    sysctl: linux.sysctl ?? {},
    resources: comparableResources(linux.resources),
    devices: linux.devices ?? [],
    // hidden since Docker 25 and 28.2
    maskedPaths: (linux.maskedPaths ?? []).filter(
      (path) => path !== "/proc/interrupts" && path !== "/sys/devices/virtual/powercap",
    ),
    readonlyPaths: linux.readonlyPaths ?? [],
  };
}

function comparableMount({ type, source, options }: RuntimeMount) {
  const known = options?.map((option) =>
    option.startsWith("size=") ? `size=${bytesOf(option.slice(5))}` : option,
  );
  return { type, source, options: known?.toSorted() };
}

function bytesOf(text: string): number {
  const unit = { k: 1 << 10, m: 1 << 20 }[text.at(-1) as "k" | "m"];
  return unit === undefined ? Number(text) : Number.parseInt(text, 10) * unit;
}

/** Zero and false mean "not set"; of device rules only those that were asked for are compared. */
function comparableResources(resources: RuntimeSpec["linux"]["resources"]) {
  const isSet = ([, value]: readonly [string, unknown]) => value !== 0 && value !== false;
  const group = (value: object | undefined) => Object.fromEntries(Object.entries(value ?? {}).filter(isSet));
  const asked =
    resources?.devices?.filter(({ allow, major }) => allow && (major === 10 || major === 42)) ?? [];
  return {
    memory: group(resources?.memory),
    cpu: group(resources?.cpu),
    pids: group(resources?.pids),
    devices: asked.map(({ type, major, minor, access }) => ({
      type,
      major,
      minor: minor === undefined ? -1 : minor,
      access,
    })),
  };
}

test("a privileged container has every capability of the host, its devices, and nothing hidden", () => {
  const kvm = {
    path: "/dev/kvm",
    type: "c",
    major: 10,
    minor: 232,
    fileMode: 0o660,
    uid: 0,
    gid: 0,
    access: "rwm",
  };
  const spec = buildSpec(
    makeSpecInput({
      hostConfig: { privileged: true },
      devices: { mapped: [{ ...kvm, type: "c" }], numbers: new Map() },
    }),
  );
  assert.equal(spec.process.capabilities?.effective.length, 41);
  assert.equal(spec.linux.seccomp, undefined);
  assert.deepEqual(spec.linux.maskedPaths, []);
  assert.deepEqual(spec.linux.readonlyPaths, []);
  assert.deepEqual(spec.linux.resources?.devices, [{ allow: true, access: "rwm" }]);
  assert.deepEqual(
    spec.linux.devices?.map(({ path }) => path),
    ["/dev/kvm"],
  );
  const optionsOf = (target: string) =>
    spec.mounts.find(({ destination }) => destination === target)?.options;
  assert.ok(!optionsOf("/sys")?.includes("ro"));
  assert.ok(!optionsOf("/sys/fs/cgroup")?.includes("ro"));
});

test("cgroups can be written by a privileged container, or as --security-opt says", () => {
  for (const [securityOpt, privileged, isWritable] of [
    [[], false, false],
    [[], true, true],
    [["writable-cgroups"], false, true],
    [["writable-cgroups=true"], false, true],
    [["writable-cgroups:false"], true, false],
  ] as const) {
    const { mounts } = buildSpec(makeSpecInput({ hostConfig: { securityOpt, privileged } }));
    const optionsOf = (target: string) => mounts.find(({ destination }) => destination === target)?.options;
    assert.equal(optionsOf("/sys/fs/cgroup")?.includes("ro"), !isWritable, securityOpt.join());
    assert.equal(optionsOf("/sys")?.includes("ro"), !privileged, securityOpt.join());
  }
});

test("a custom seccomp policy also binds a privileged container", () => {
  const policy = '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"chmod","action":"SCMP_ACT_ERRNO"}]}';
  const spec = buildSpec(
    makeSpecInput({ hostConfig: { privileged: true, securityOpt: [`seccomp=${policy}`] } }),
  );
  assert.deepEqual(spec.linux.seccomp?.syscalls, [{ names: ["chmod"], action: "SCMP_ACT_ERRNO" }]);
});

test("a limit without end is the largest 64-bit number, exactly", () => {
  const spec = buildSpec(
    makeSpecInput({ hostConfig: { ulimits: [{ name: "memlock", soft: -1, hard: -1 }] } }),
  );
  assert.match(formatRuntimeSpec(spec), /"soft":18446744073709551615,"hard":18446744073709551615/);
});

test("limits that cgroup v2 does not have are left out there", () => {
  const limits = {
    memoryBytes: 1 << 26,
    memorySwappiness: 10,
    oomKillDisable: true,
    cpuRealtimeRuntimeUs: 5,
  };
  const host = { ...makeSpecInput().host, cgroups: { mode: "v2", mountPoints: ["/sys/fs/cgroup"] } as const };
  const { resources } = buildSpec(makeSpecInput({ hostConfig: limits, host })).linux;
  assert.deepEqual(resources?.memory, { limit: 1 << 26, swap: 1 << 27 });
  assert.equal(resources?.cpu, undefined);
});

test("a container has a cgroup namespace of its own on v2, also when it is privileged, as Docker's", () => {
  const host = { ...makeSpecInput().host, cgroups: { mode: "v2", mountPoints: ["/sys/fs/cgroup"] } as const };
  const typesOf = (privileged: boolean) =>
    buildSpec(makeSpecInput({ hostConfig: { privileged }, host })).linux.namespaces.map(({ type }) => type);
  assert.ok(typesOf(false).includes("cgroup"));
  assert.ok(typesOf(true).includes("cgroup"));
});

test("namespaces of another container are joined by path, and need one", () => {
  const hostConfig = { pidMode: "container:abc", ipcMode: "container:abc" };
  const namespacePaths = { network: "/run/netns", pid: "/proc/7/ns/pid", ipc: "/proc/7/ns/ipc" };
  const spec = buildSpec(makeSpecInput({ hostConfig, namespacePaths, shmPath: "/run/shm-of-abc" }));
  const pathOf = (wanted: string) => spec.linux.namespaces.find(({ type }) => type === wanted)?.path;
  assert.equal(pathOf("network"), "/run/netns");
  assert.equal(pathOf("pid"), "/proc/7/ns/pid");
  assert.equal(pathOf("ipc"), "/proc/7/ns/ipc");
  const shm = spec.mounts.find(({ destination }) => destination === "/dev/shm");
  assert.equal(shm?.source, "/run/shm-of-abc");
  assert.throws(() => buildSpec(makeSpecInput({ hostConfig })), { kind: "invalid-argument" });
});

test("shared and slave mounts open the root for propagation", () => {
  const propagationOf = (bind: string) =>
    buildSpec(makeSpecInput({ mounts: [parseBind(bind)] })).linux.rootfsPropagation;
  assert.equal(propagationOf("/a:/b"), undefined);
  assert.equal(propagationOf("/a:/b:rslave"), "rslave");
  assert.equal(propagationOf("/a:/b:rshared"), "shared");
});

test("two mounts at one target are refused", () => {
  const mounts = [parseBind("/a:/x"), parseBind("/b:/x/")];
  assert.throws(() => buildSpec(makeSpecInput({ mounts })), { message: "Duplicate mount point: /x" });
});

test("a parent is mounted before its children, whatever the order asked for", () => {
  const mounts = [parseBind("/a:/x/y/z"), parseBind("/b:/x")];
  const targets = buildSpec(makeSpecInput({ mounts, hostConfig: { tmpfs: { "/x/y": "" } } })).mounts.map(
    ({ destination }) => destination,
  );
  assert.deepEqual(
    targets.filter((target) => target.startsWith("/x")),
    ["/x", "/x/y", "/x/y/z"],
  );
});
