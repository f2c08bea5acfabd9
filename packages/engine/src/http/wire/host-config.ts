import type { HostConfig as WireHostConfig } from "@hawser/api";
import {
  type DeviceMapping,
  type DeviceRequest,
  defaultMaskedPaths,
  defaultReadonlyPaths,
  type HostConfig,
  type PortBinding,
  type ThrottleDevice,
} from "@hawser/runtime";
import { httpFaults } from "../faults.ts";
import {
  adapt,
  boolean,
  type Codec,
  commandLine,
  integer,
  list,
  map,
  omitEmpty,
  optional,
  record,
  refuse,
  string,
} from "./codec.ts";
import { mountRequestCodec } from "./mount-request.ts";

const throttleDevices = list(record<ThrottleDevice>({ path: ["Path", string], rate: ["Rate", integer] }));

export const portBindings = map(
  list(record<PortBinding>({ hostIp: ["HostIp", string], hostPort: ["HostPort", string] })),
);

const deviceRequest = record<DeviceRequest>({
  driver: ["Driver", string],
  count: ["Count", integer],
  deviceIds: ["DeviceIDs", list(string, null)],
  capabilities: ["Capabilities", list(list(string), null)],
  options: ["Options", map(string, null)],
});

const restartPolicyNames = ["no", "always", "unless-stopped", "on-failure"] as const;

/** moby's `container.ValidateRestartPolicy`. */
const restartPolicy: Codec<HostConfig["restartPolicy"]> = adapt(
  record<{ readonly name: string; readonly maximumRetryCount: number }>({
    name: ["Name", string],
    maximumRetryCount: ["MaximumRetryCount", integer],
  }),
  ({ name: asked, maximumRetryCount }) => {
    const name = restartPolicyNames.find((known) => known === (asked || "no"));
    if (name === undefined) {
      throw httpFaults.RESTART_POLICY(
        `unknown policy '${asked}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
      );
    }
    if (maximumRetryCount < 0) throw httpFaults.RESTART_POLICY("maximum retry count cannot be negative");
    if (maximumRetryCount > 0 && name !== "on-failure") {
      throw httpFaults.RESTART_POLICY("maximum retry count can only be used with 'on-failure'");
    }
    return { name, maximumRetryCount };
  },
  (policy) => policy,
);

/** A list for which one text is as good as a list of one (`strslice.StrSlice`). */
const words: Codec<readonly string[]> = {
  decode: commandLine.decode,
  encode: list(string, null).encode,
};

/** A number by which clients also say "not asked for". */
const integerUnless = (nothing: number): Codec<number | undefined> =>
  adapt(
    optional(integer, null),
    (value) => (value === nothing ? undefined : value),
    (value) => value,
  );

const consoleSize: Codec<HostConfig["consoleSize"]> = {
  decode: (value, path) => {
    const [height = 0, width = 0] = list(integer).decode(value, path);
    if (height < 0 || width < 0) return refuse(Math.min(height, width), path, "uint");
    return [height, width];
  },
  encode: (size) => size,
};

/** Lists and maps that Docker's inspect shows as they came: null or empty. */
const asGiven = {
  portBindings: "PortBindings",
  dns: "Dns",
  dnsOptions: "DnsOptions",
  dnsSearch: "DnsSearch",
  blkioWeightDevice: "BlkioWeightDevice",
  blkioDeviceReadBps: "BlkioDeviceReadBps",
  blkioDeviceWriteBps: "BlkioDeviceWriteBps",
  blkioDeviceReadIops: "BlkioDeviceReadIOps",
  blkioDeviceWriteIops: "BlkioDeviceWriteIOps",
  devices: "Devices",
  ulimits: "Ulimits",
} as const satisfies Partial<Record<keyof HostConfig, string>>;

/** The constants are Windows' and swarm's. */
const fields = record<Omit<HostConfig, "absent">>(
  {
    binds: ["Binds", list(string, null)],
    containerIdFile: ["ContainerIDFile", string],
    log: [
      "LogConfig",
      record<HostConfig["log"]>({ driver: ["Type", string], options: ["Config", map(string)] }),
    ],
    networkMode: [
      "NetworkMode",
      adapt(
        string,
        (mode) => (mode === "" || mode === "default" ? "bridge" : mode),
        (mode) => mode,
      ),
    ],
    portBindings: ["PortBindings", portBindings],
    restartPolicy: ["RestartPolicy", restartPolicy],
    autoRemove: ["AutoRemove", boolean],
    volumeDriver: ["VolumeDriver", string],
    volumesFrom: ["VolumesFrom", list(string, null)],
    consoleSize: ["ConsoleSize", consoleSize],
    annotations: ["Annotations", omitEmpty(map(string))],
    capAdd: ["CapAdd", words],
    capDrop: ["CapDrop", words],
    cgroupnsMode: ["CgroupnsMode", string],
    dns: ["Dns", list(string)],
    dnsOptions: ["DnsOptions", list(string)],
    dnsSearch: ["DnsSearch", list(string)],
    extraHosts: ["ExtraHosts", list(string, null)],
    groupAdd: ["GroupAdd", list(string, null)],
    ipcMode: ["IpcMode", string],
    links: ["Links", list(string, null)],
    oomScoreAdj: ["OomScoreAdj", integer],
    pidMode: ["PidMode", string],
    privileged: ["Privileged", boolean],
    publishAllPorts: ["PublishAllPorts", boolean],
    readonlyRootfs: ["ReadonlyRootfs", boolean],
    securityOpt: ["SecurityOpt", list(string, null)],
    storageOpt: ["StorageOpt", omitEmpty(map(string))],
    tmpfs: ["Tmpfs", omitEmpty(map(string))],
    utsMode: ["UTSMode", string],
    usernsMode: ["UsernsMode", string],
    shmSizeBytes: ["ShmSize", integer],
    sysctls: ["Sysctls", omitEmpty(map(string))],
    runtime: ["Runtime", omitEmpty(string)],
    cpuShares: ["CpuShares", integer],
    memoryBytes: ["Memory", integer],
    nanoCpus: ["NanoCpus", integer],
    cgroupParent: ["CgroupParent", string],
    blkioWeight: ["BlkioWeight", integer],
    blkioWeightDevice: [
      "BlkioWeightDevice",
      list(
        record<HostConfig["blkioWeightDevice"][number]>({
          path: ["Path", string],
          weight: ["Weight", integer],
        }),
      ),
    ],
    blkioDeviceReadBps: ["BlkioDeviceReadBps", throttleDevices],
    blkioDeviceWriteBps: ["BlkioDeviceWriteBps", throttleDevices],
    blkioDeviceReadIops: ["BlkioDeviceReadIOps", throttleDevices],
    blkioDeviceWriteIops: ["BlkioDeviceWriteIOps", throttleDevices],
    cpuPeriodUs: ["CpuPeriod", integer],
    cpuQuotaUs: ["CpuQuota", integer],
    cpuRealtimePeriodUs: ["CpuRealtimePeriod", integer],
    cpuRealtimeRuntimeUs: ["CpuRealtimeRuntime", integer],
    cpusetCpus: ["CpusetCpus", string],
    cpusetMems: ["CpusetMems", string],
    devices: [
      "Devices",
      list(
        record<DeviceMapping>({
          pathOnHost: ["PathOnHost", string],
          pathInContainer: ["PathInContainer", string],
          cgroupPermissions: ["CgroupPermissions", string],
        }),
      ),
    ],
    deviceCgroupRules: ["DeviceCgroupRules", list(string, null)],
    deviceRequests: ["DeviceRequests", list(deviceRequest, null)],
    memoryReservationBytes: ["MemoryReservation", integer],
    memorySwapBytes: ["MemorySwap", integer],
    memorySwappiness: ["MemorySwappiness", integerUnless(-1)],
    oomKillDisable: ["OomKillDisable", optional(boolean, null)],
    pidsLimit: ["PidsLimit", integerUnless(0)],
    ulimits: [
      "Ulimits",
      list(
        record<HostConfig["ulimits"][number]>({
          name: ["Name", string],
          hard: ["Hard", integer],
          soft: ["Soft", integer],
        }),
      ),
    ],
    mounts: ["Mounts", omitEmpty(list(mountRequestCodec))],
    maskedPaths: ["MaskedPaths", optional(list(string), null)],
    readonlyPaths: ["ReadonlyPaths", optional(list(string), null)],
    init: ["Init", optional(boolean)],
  },
  { Cgroup: "", Isolation: "", CpuCount: 0, CpuPercent: 0, IOMaximumIOps: 0, IOMaximumBandwidth: 0 },
  "container.HostConfig",
);

/** Docker's `HostConfig` (API 1.51), with moby's defaults for what is absent. */
export const hostConfigCodec: Codec<HostConfig> = {
  decode: (value, path) => {
    const decoded = fields.decode(value, path);
    const given = (value ?? {}) as Readonly<Record<string, unknown>>;
    const absent = Object.entries(asGiven).flatMap(([key, name]) =>
      (given[name] ?? null) === null ? [key as keyof typeof asGiven] : [],
    );
    const isolation = string.decode(given["Isolation"], `${path}.Isolation`);
    if (isolation !== "" && isolation !== "default") throw httpFaults.ISOLATION(isolation);
    return { ...decoded, ...(absent.length > 0 && { absent }) };
  },
  encode: (hostConfig) => {
    const encoded = fields.encode(hostConfig) as Record<string, unknown>;
    for (const key of hostConfig.absent ?? []) {
      const name = asGiven[key as keyof typeof asGiven];
      if (Object.keys(encoded[name] ?? {}).length === 0) encoded[name] = null;
    }
    return encoded;
  },
};

/** A container's host configuration as inspect shows it: with the paths that are masked and read-only by default. */
export function encodeHostConfig(hostConfig: HostConfig): WireHostConfig {
  const paths = hostConfig.privileged
    ? {}
    : { maskedPaths: defaultMaskedPaths, readonlyPaths: defaultReadonlyPaths };
  return hostConfigCodec.encode({ ...paths, ...hostConfig }) as WireHostConfig;
}
