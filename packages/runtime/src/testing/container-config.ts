import type { ContainerConfig, HostConfig } from "../container-config.ts";
import { allCapabilities } from "../spec/capabilities.ts";
import type { HostFacts, SpecInput } from "../spec/spec-input.ts";
import { resolveUser } from "../spec/user.ts";

/** A container that nothing is asked of but `sleep 100`. */
export function makeConfig(changes: Partial<ContainerConfig> = {}): ContainerConfig {
  return {
    hostname: "box",
    domainname: "",
    user: "",
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    tty: false,
    openStdin: false,
    stdinOnce: false,
    env: [],
    cmd: ["sleep", "100"],
    image: "busybox",
    workingDir: "",
    labels: {},
    volumes: [],
    exposedPorts: [],
    stopSignal: "",
    ...changes,
  };
}

export function makeHostConfig(changes: Partial<HostConfig> = {}): HostConfig {
  return {
    binds: [],
    mounts: [],
    tmpfs: {},
    volumesFrom: [],
    volumeDriver: "",
    containerIdFile: "",
    log: { driver: "json-file", options: {} },
    networkMode: "none",
    portBindings: {},
    publishAllPorts: false,
    restartPolicy: { name: "no", maximumRetryCount: 0 },
    autoRemove: false,
    capAdd: [],
    capDrop: [],
    cgroupnsMode: "",
    cgroupParent: "",
    dns: [],
    dnsOptions: [],
    dnsSearch: [],
    extraHosts: [],
    groupAdd: [],
    ipcMode: "",
    links: [],
    oomScoreAdj: 0,
    pidMode: "",
    privileged: false,
    readonlyRootfs: false,
    securityOpt: [],
    storageOpt: {},
    utsMode: "",
    usernsMode: "",
    shmSizeBytes: 0,
    sysctls: {},
    runtime: "",
    consoleSize: [0, 0],
    annotations: {},
    memoryBytes: 0,
    memoryReservationBytes: 0,
    memorySwapBytes: 0,
    nanoCpus: 0,
    cpuShares: 0,
    cpuPeriodUs: 0,
    cpuQuotaUs: 0,
    cpuRealtimePeriodUs: 0,
    cpuRealtimeRuntimeUs: 0,
    cpusetCpus: "",
    cpusetMems: "",
    blkioWeight: 0,
    blkioWeightDevice: [],
    blkioDeviceReadBps: [],
    blkioDeviceWriteBps: [],
    blkioDeviceReadIops: [],
    blkioDeviceWriteIops: [],
    devices: [],
    deviceCgroupRules: [],
    deviceRequests: [],
    ulimits: [],
    ...changes,
  };
}

/** A host with two processors, cgroup v1 and every capability. */
export function makeHostFacts(changes: Partial<HostFacts> = {}): HostFacts {
  return {
    cgroups: { mode: "v1", mountPoints: ["/sys/fs/cgroup/memory"] },
    architecture: "x64",
    kernelRelease: "6.1.0",
    onlineCpus: "0-1",
    onlineMemoryNodes: "0",
    capabilities: allCapabilities,
    appArmor: false,
    swapAccounting: true,
    blockWeight: true,
    blockDeviceWeight: true,
    ...changes,
  };
}

export function makeSpecInput(
  changes: Omit<Partial<SpecInput>, "config" | "hostConfig"> & {
    readonly config?: Partial<ContainerConfig>;
    readonly hostConfig?: Partial<HostConfig>;
  } = {},
): SpecInput {
  const config = makeConfig(changes.config);
  const hostConfig = makeHostConfig(changes.hostConfig);
  return {
    rootfs: "/run/rootfs",
    cgroupsPath: "/hawser/box",
    user: resolveUser(config.user, { passwd: "", group: "", groupAdd: hostConfig.groupAdd }),
    host: makeHostFacts(),
    namespacePaths: {},
    mounts: [],
    files: { hosts: "/run/hosts", hostname: "/run/hostname", resolvConf: "/run/resolv.conf" },
    initPath: "/usr/lib/hawser/hawser-init",
    devices: { mapped: [], numbers: new Map() },
    ...changes,
    config,
    hostConfig,
  };
}
