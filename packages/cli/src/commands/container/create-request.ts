import type {
  ContainerConfig,
  ContainerCreateRequest,
  DeviceRequest,
  EndpointSettings,
  HealthcheckConfig,
  HostConfig,
} from "@hawser/api";
import { cliFaults } from "../../faults.ts";
import type { FlagValues } from "../../flags/flag.ts";
import { effectiveCapabilities } from "../../options/capability-option.ts";
import { checkDevice, isCdiDevice, parseDevice } from "../../options/device-option.ts";
import { type Environment, parseEnvironmentValue, readPairFile } from "../../options/environment-option.ts";
import { resolveMountSource } from "../../options/mount-option.ts";
import {
  checkMacAddress,
  checkNetwork,
  endpointSettings,
  hasEndpointOptions,
  isUserDefinedNetwork,
  type NetworkOption,
} from "../../options/network-option.ts";
import { parseExpose, parsePublish } from "../../options/port-option.ts";
import { parseRestartPolicy } from "../../options/restart-option.ts";
import { parseSecurityOptions } from "../../options/security-option.ts";
import { valueError } from "../../options/value-error.ts";
import { parseVolumes } from "../../options/volume-option.ts";
import type { createFlags } from "./create-flags.ts";

export type CreateFlags = FlagValues<typeof createFlags>;

export interface CreateInput {
  readonly flags: CreateFlags;
  readonly changed: ReadonlySet<string>;
  /** Image, then the command. */
  readonly args: readonly string[];
  readonly environment: Environment;
  readonly workingDir: string;
}

/**
 * The request that `run` and `create` send, from their options.
 *
 * @throws {Fault} `invalid-argument` for options that contradict each other, in Docker's words.
 */
export function createRequest(input: CreateInput): ContainerCreateRequest {
  const { flags } = input;
  const [image = "", ...command] = input.args;
  checkModes(flags);
  if (flags["use-api-socket"]) throw valueError("--use-api-socket is not supported");
  const volumes = parseVolumes(flags.volume, { workingDir: input.workingDir });
  const published = parsePublish(flags.publish);
  const exposed = [...published.exposed, ...flags.expose.flatMap(parseExpose)];
  const networks = networksFrom(flags);
  const streams = attachedStreams(flags);
  const healthcheck = healthcheckFrom(flags);
  const config: ContainerConfig = {
    Hostname: flags.hostname,
    Domainname: flags.domainname,
    User: flags.user,
    ...streams,
    ...(exposed.length > 0 && { ExposedPorts: nameSet(exposed) }),
    Tty: flags.tty,
    OpenStdin: flags.interactive,
    StdinOnce: flags.interactive && streams.AttachStdin,
    Env: orNull(environmentFrom(input)),
    Cmd: command.length === 0 ? null : command,
    ...(healthcheck !== undefined && { Healthcheck: healthcheck }),
    Image: image,
    Volumes: nameSet(volumes.anonymous),
    WorkingDir: flags.workdir,
    Entrypoint: entrypointFrom(input),
    OnBuild: null,
    Labels: labelsFrom(input),
    ...(input.changed.has("stop-signal") && { StopSignal: flags["stop-signal"] }),
    ...(input.changed.has("stop-timeout") && { StopTimeout: flags["stop-timeout"] }),
  };
  return {
    ...config,
    HostConfig: {
      ...hostConfigFrom(input),
      Binds: orNull(volumes.binds),
      PortBindings: published.bindings,
      NetworkMode: networks.first.target,
    },
    NetworkingConfig: { EndpointsConfig: networks.endpoints },
  };
}

/** Whether a restart policy contradicts `--rm`. */
export function isRestarting(policy: string): boolean {
  return policy !== "" && policy !== "no";
}

function hostConfigFrom(input: CreateInput): HostConfig {
  const { flags, changed } = input;
  const security = parseSecurityOptions(flags["security-opt"], input.workingDir);
  const capabilities = effectiveCapabilities(flags["cap-add"], flags["cap-drop"]);
  const tmpfs = Object.fromEntries(
    flags.tmpfs.map((text) => {
      const at = text.indexOf(":");
      return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
    }),
  );
  return {
    ...resourcesFrom(input),
    ContainerIDFile: flags.cidfile,
    OomScoreAdj: flags["oom-score-adj"],
    AutoRemove: flags.rm,
    Privileged: flags.privileged,
    ReadonlyRootfs: flags["read-only"],
    PublishAllPorts: flags["publish-all"],
    Links: orNull(flags.link),
    Dns: flags.dns,
    DnsOptions: [...flags["dns-option"], ...flags["dns-opt"]],
    DnsSearch: flags["dns-search"],
    ExtraHosts: orNull(flags["add-host"]),
    VolumesFrom: orNull(flags["volumes-from"]),
    IpcMode: flags.ipc,
    CgroupnsMode: flags.cgroupns,
    PidMode: flags.pid,
    UTSMode: flags.uts,
    UsernsMode: flags.userns,
    Cgroup: "",
    CapAdd: orNull(capabilities.add),
    CapDrop: orNull(capabilities.drop),
    GroupAdd: orNull(flags["group-add"]),
    RestartPolicy: parseRestartPolicy(flags.restart),
    SecurityOpt: orNull(security.options),
    ...(flags["storage-opt"].length > 0 && { StorageOpt: pairs(flags["storage-opt"], "storage option") }),
    LogConfig: logConfigFrom(flags),
    VolumeDriver: flags["volume-driver"],
    Isolation: flags.isolation,
    ShmSize: flags["shm-size"],
    ...(flags.tmpfs.length > 0 && { Tmpfs: tmpfs }),
    ...(flags.sysctl.size > 0 && { Sysctls: Object.fromEntries(flags.sysctl) }),
    ...(flags.runtime !== "" && { Runtime: flags.runtime }),
    ...(flags.mount.length > 0 && {
      Mounts: flags.mount.map((mount) => resolveMountSource(mount, input.workingDir)),
    }),
    MaskedPaths: security.unmasked ? [] : null,
    ReadonlyPaths: security.unmasked ? [] : null,
    ...(changed.has("init") && { Init: flags.init }),
    ...(flags.annotation.size > 0 && { Annotations: Object.fromEntries(flags.annotation) }),
    ConsoleSize: [0, 0],
  };
}

function resourcesFrom(input: CreateInput): HostConfig {
  const { flags, changed } = input;
  const swappiness = flags["memory-swappiness"];
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100)) {
    throw valueError(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
  }
  const { devices, requests } = devicesFrom(flags);
  return {
    CgroupParent: flags["cgroup-parent"],
    Memory: flags.memory,
    MemoryReservation: flags["memory-reservation"],
    MemorySwap: flags["memory-swap"],
    MemorySwappiness: swappiness,
    OomKillDisable: flags["oom-kill-disable"],
    NanoCpus: flags.cpus,
    CpuCount: flags["cpu-count"],
    CpuPercent: flags["cpu-percent"],
    CpuShares: flags["cpu-shares"],
    CpuPeriod: flags["cpu-period"],
    CpuQuota: flags["cpu-quota"],
    CpuRealtimePeriod: flags["cpu-rt-period"],
    CpuRealtimeRuntime: flags["cpu-rt-runtime"],
    CpusetCpus: flags["cpuset-cpus"],
    CpusetMems: flags["cpuset-mems"],
    PidsLimit: flags["pids-limit"],
    BlkioWeight: flags["blkio-weight"],
    BlkioWeightDevice: flags["blkio-weight-device"],
    BlkioDeviceReadBps: flags["device-read-bps"],
    BlkioDeviceWriteBps: flags["device-write-bps"],
    BlkioDeviceReadIOps: flags["device-read-iops"],
    BlkioDeviceWriteIOps: flags["device-write-iops"],
    IOMaximumIOps: flags["io-maxiops"],
    IOMaximumBandwidth: flags["io-maxbandwidth"],
    Ulimits: flags.ulimit.toSorted((a, b) => (a.Name < b.Name ? -1 : 1)),
    DeviceCgroupRules: orNull(flags["device-cgroup-rule"]),
    Devices: devices,
    DeviceRequests: orNull(changed.has("gpus") ? [...requests, ...flags.gpus] : requests),
  };
}

function devicesFrom(flags: CreateFlags) {
  const cdi = flags.device.filter(isCdiDevice);
  const devices = flags.device
    .filter((text) => !isCdiDevice(text))
    .map((text) => parseDevice(checkDevice(text)));
  const requests: readonly DeviceRequest[] =
    cdi.length === 0 ? [] : [{ Driver: "cdi", Count: 0, DeviceIDs: cdi, Capabilities: null, Options: null }];
  return { devices, requests };
}

function attachedStreams(flags: CreateFlags) {
  const all = flags.attach.length === 0;
  return {
    AttachStdin: all ? flags.interactive : flags.attach.includes("stdin"),
    AttachStdout: all || flags.attach.includes("stdout"),
    AttachStderr: all || flags.attach.includes("stderr"),
  };
}

function environmentFrom(input: CreateInput): readonly string[] {
  const lookUp = (name: string) => {
    const value = input.environment[name];
    return value === undefined ? undefined : `${name}=${value}`;
  };
  const fromFiles = input.flags["env-file"].flatMap((path) =>
    readPairFile(path, { lookUp, workingDir: input.workingDir }),
  );
  const given = input.flags.env.map((text) => parseEnvironmentValue(text, input.environment));
  return [...fromFiles, ...given];
}

function labelsFrom({ flags, workingDir }: CreateInput): Readonly<Record<string, string>> {
  const fromFiles = flags["label-file"].flatMap((path) =>
    readPairFile(path, { lookUp: () => undefined, workingDir }),
  );
  return pairs([...fromFiles, ...flags.label]);
}

function entrypointFrom(input: CreateInput): readonly string[] | null {
  return input.changed.has("entrypoint") ? [input.flags.entrypoint] : null;
}

function healthcheckFrom(flags: CreateFlags): HealthcheckConfig | undefined {
  const times = {
    Interval: flags["health-interval"],
    Timeout: flags["health-timeout"],
    StartPeriod: flags["health-start-period"],
    StartInterval: flags["health-start-interval"],
  };
  const retries = flags["health-retries"];
  const wanted =
    flags["health-cmd"] !== "" || retries !== 0 || Object.values(times).some((time) => time !== 0);
  if (flags["no-healthcheck"]) {
    if (wanted) throw cliFaults.OPTIONS_CONFLICT("--no-healthcheck conflicts with --health-* options");
    return { Test: ["NONE"] };
  }
  if (!wanted) return undefined;
  for (const [name, flag] of [
    ["Interval", "--health-interval"],
    ["Timeout", "--health-timeout"],
    ["StartPeriod", "--health-start-period"],
    ["StartInterval", "--health-start-interval"],
  ] as const) {
    if (times[name] < 0) throw valueError(`${flag} cannot be negative`);
  }
  if (retries < 0) throw valueError("--health-retries cannot be negative");
  const set = Object.fromEntries(Object.entries(times).filter(([, time]) => time !== 0));
  return {
    ...(flags["health-cmd"] !== "" && { Test: ["CMD-SHELL", flags["health-cmd"]] }),
    ...set,
    ...(retries !== 0 && { Retries: retries }),
  };
}

function logConfigFrom(flags: CreateFlags) {
  if (flags["log-driver"] === "none" && flags["log-opt"].length > 0) {
    throw valueError("invalid logging opts for driver none");
  }
  return { Type: flags["log-driver"], Config: pairs(flags["log-opt"]) };
}

interface Networks {
  readonly first: NetworkOption;
  readonly endpoints: Readonly<Record<string, EndpointSettings>>;
}

function networksFrom(flags: CreateFlags): Networks {
  const given = [...flags.network, ...flags.net];
  const [named = { target: "default", aliases: [], driverOptions: {}, linkLocalIps: [] }, ...others] = given;
  const first = withShortOptions(named, flags);
  const all = [first, ...others];
  const seen = new Set<string>();
  for (const network of all) {
    if (seen.has(network.target)) throw valueError(`network "${network.target}" is specified multiple times`);
    seen.add(network.target);
    checkNetwork(network);
  }
  const userDefined = all.filter(({ target }) => isUserDefinedNetwork(target)).length;
  if (userDefined > 0 && userDefined < all.length) {
    throw cliFaults.OPTIONS_CONFLICT(
      "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
    );
  }
  // one network and nothing said of it: the engine fills in the endpoint
  if (given.length === 1 && !hasEndpointOptions(first)) return { first, endpoints: {} };
  const settings = all.map((network) => [network.target, endpointSettings(network)] as const);
  return { first, endpoints: Object.fromEntries(settings) };
}

function withShortOptions(network: NetworkOption, flags: CreateFlags): NetworkOption {
  const aliases = [...flags["network-alias"], ...flags["net-alias"]];
  if (aliases.length > 0 && network.aliases.length > 0) {
    throw cliFaults.OPTIONS_CONFLICT(
      "conflicting options: cannot specify both --network-alias and per-network alias",
    );
  }
  if (flags.ip !== "" && network.ipv4 !== undefined) {
    throw cliFaults.OPTIONS_CONFLICT(
      "conflicting options: cannot specify both --ip and per-network IPv4 address",
    );
  }
  if (flags.ip6 !== "" && network.ipv6 !== undefined) {
    throw cliFaults.OPTIONS_CONFLICT(
      "conflicting options: cannot specify both --ip6 and per-network IPv6 address",
    );
  }
  if (flags["mac-address"] !== "" && network.macAddress !== undefined) {
    throw cliFaults.OPTIONS_CONFLICT(
      "conflicting options: cannot specify both --mac-address and per-network MAC address",
    );
  }
  if (flags["link-local-ip"].length > 0 && network.linkLocalIps.length > 0) {
    throw cliFaults.OPTIONS_CONFLICT(
      "conflicting options: cannot specify both --link-local-ip and per-network link-local IP addresses",
    );
  }
  return {
    ...network,
    aliases: [...network.aliases, ...aliases],
    linkLocalIps: [...network.linkLocalIps, ...flags["link-local-ip"]],
    ...(flags.ip !== "" && { ipv4: flags.ip }),
    ...(flags.ip6 !== "" && { ipv6: flags.ip6 }),
    ...(flags["mac-address"] !== "" && { macAddress: checkMacAddress(flags["mac-address"]) }),
  };
}

function checkModes(flags: CreateFlags): void {
  if (!isHostPrivateOrContainer(flags.pid)) throw valueError("--pid: invalid PID mode");
  if (flags.uts !== "" && flags.uts !== "host") throw valueError("--uts: invalid UTS mode");
  if (flags.userns !== "" && flags.userns !== "host") throw valueError("--userns: invalid USER mode");
  if (!["", "host", "private"].includes(flags.cgroupns)) throw valueError("--cgroupns: invalid CGROUP mode");
}

function isHostPrivateOrContainer(mode: string): boolean {
  return mode === "" || mode === "host" || /^container:.+/s.test(mode);
}

function nameSet(names: readonly string[]): Readonly<Record<string, Readonly<Record<string, never>>>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

function pairs(texts: readonly string[], needed?: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf("=");
      if (at < 0 && needed !== undefined) throw valueError(`invalid ${needed}`);
      return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list;
}
