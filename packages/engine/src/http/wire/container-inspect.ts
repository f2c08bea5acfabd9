import type {
  ContainerHealth,
  ContainerInspect,
  ContainerState,
  EndpointSettings,
  MountPoint,
  NetworkSettings,
} from "@hawser/api";
import { type Container, commandOf } from "../../containers/container.ts";
import type { ContainerRecord, EndpointRecord } from "../../containers/container-record.ts";
import type { Health } from "../../containers/health.ts";
import { type ContainerHost, logPathOf, runDirOf } from "../../containers/host.ts";
import { networkIdOf, networkNameOf } from "../../networks/container-networks.ts";
import { encodeContainerConfig } from "./container-config.ts";
import { encodeHostConfig } from "./host-config.ts";

/** Facts of an inspect that the record does not hold. */
export interface InspectFacts {
  readonly host: ContainerHost;
  readonly mounts: readonly MountPoint[];
  readonly graphDriver: ContainerInspect["GraphDriver"];
}

/** `GET /containers/{id}/json`: Docker's picture of a container, field by field. */
export function formatInspect(container: Container, facts: InspectFacts): ContainerInspect {
  const { record } = container;
  const [path = "", ...args] = commandOf(record.config);
  const runDir = runDirOf(facts.host, record.id);
  const execIds = [...container.execs.values()].filter(({ phase }) => phase !== "ended").map(({ id }) => id);
  return {
    Id: record.id,
    Created: formatTime(record.createdAtMs),
    Path: path,
    Args: args,
    State: formatState(record),
    Image: record.imageId,
    ResolvConfPath: `${runDir}/resolv.conf`,
    HostnamePath: `${runDir}/hostname`,
    HostsPath: `${runDir}/hosts`,
    LogPath: record.hostConfig.log.driver === "none" ? "" : logPathOf(facts.host, record.id),
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: "overlay2",
    Platform: "linux",
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: "",
    ExecIDs: execIds.length === 0 ? null : execIds,
    HostConfig: encodeHostConfig(record.hostConfig),
    GraphDriver: facts.graphDriver,
    Mounts: facts.mounts,
    Config: encodeContainerConfig(record.config),
    NetworkSettings: formatNetworkSettings(record),
  };
}

/** RFC 3339 with nanoseconds as Go prints them; Docker's zero time for "never". */
export function formatTime(timeMs: number): string {
  if (timeMs === 0) return "0001-01-01T00:00:00Z";
  return new Date(timeMs).toISOString().replace(/\.?0*Z$/, "Z");
}

/** The networks of a container, by name; an endpoint that is not there shows as Docker shows a stopped one. */
export function formatNetworks(record: ContainerRecord): Record<string, EndpointSettings> {
  const name = networkNameOf(record.hostConfig.networkMode);
  if (name === undefined) return {};
  const networkId = record.state.startedAtMs === 0 ? "" : networkIdOf(name);
  return { [name]: formatEndpoint(record.endpoint, networkId) };
}

function formatState({ state, health }: ContainerRecord): ContainerState {
  return {
    Status: state.status,
    Running: ["running", "paused", "restarting"].includes(state.status),
    Paused: state.status === "paused",
    Restarting: state.status === "restarting",
    OOMKilled: state.oomKilled,
    Dead: state.status === "dead",
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: formatTime(state.startedAtMs),
    FinishedAt: formatTime(state.finishedAtMs),
    ...(health && { Health: formatHealth(health) }),
  };
}

function formatHealth({ status, failingStreak, log }: Health): ContainerHealth {
  return {
    Status: status,
    FailingStreak: failingStreak,
    Log: log.map(({ startedAtMs, endedAtMs, exitCode, output }) => ({
      Start: formatTime(startedAtMs),
      End: formatTime(endedAtMs),
      ExitCode: exitCode,
      Output: output,
    })),
  };
}

function formatNetworkSettings(record: ContainerRecord): NetworkSettings {
  const { endpoint } = record;
  return {
    Bridge: "",
    SandboxID: endpoint?.id ?? "",
    SandboxKey: record.state.pid === 0 ? "" : `/proc/${record.state.pid}/ns/net`,
    Ports: {},
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: endpoint?.id ?? "",
    Gateway: endpoint?.gateway ?? "",
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    IPAddress: endpoint?.address ?? "",
    IPPrefixLen: endpoint?.prefixLength ?? 0,
    IPv6Gateway: "",
    MacAddress: endpoint?.macAddress ?? "",
    Networks: formatNetworks(record),
  };
}

function formatEndpoint(endpoint: EndpointRecord | undefined, networkId: string): EndpointSettings {
  return {
    IPAMConfig: null,
    Links: null,
    Aliases: null,
    MacAddress: endpoint?.macAddress ?? "",
    DriverOpts: null,
    NetworkID: networkId,
    EndpointID: endpoint?.id ?? "",
    Gateway: endpoint?.gateway ?? "",
    IPAddress: endpoint?.address ?? "",
    IPPrefixLen: endpoint?.prefixLength ?? 0,
    IPv6Gateway: "",
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    DNSNames: null,
  };
}
