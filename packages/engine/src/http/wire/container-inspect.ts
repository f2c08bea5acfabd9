import type { ContainerHealth, ContainerInspect, ContainerState, MountPoint } from "@hawser/api";
import { type Container, commandOf } from "../../containers/container.ts";
import type { ContainerRecord } from "../../containers/container-record.ts";
import type { Health } from "../../containers/health.ts";
import { type ContainerHost, logPathOf, runDirOf } from "../../containers/host.ts";
import { encodeContainerConfig } from "./container-config.ts";
import { encodeHostConfig } from "./host-config.ts";
import { formatNetworkSettings } from "./network-settings.ts";

/** Facts of an inspect that the record does not hold. */
export interface InspectFacts {
  readonly host: ContainerHost;
  readonly mounts: readonly MountPoint[];
  readonly graphDriver: ContainerInspect["GraphDriver"];
  readonly withIdAlias: boolean;
}

/** `GET /containers/{id}/json`: Docker's picture of a container, field by field. */
export function formatInspect(container: Container, facts: InspectFacts): ContainerInspect {
  const { record } = container;
  const [path = "", ...args] = commandOf(record.config);
  const runDir = runDirOf(facts.host, record.id);
  // Docker makes these files at the first start, and tells of none before.
  const hasStarted = record.state.startedAtMs !== 0 || record.state.error !== "";
  const execIds = [...container.execs.values()].filter(({ phase }) => phase !== "ended").map(({ id }) => id);
  return {
    Id: record.id,
    Created: formatTime(record.createdAtMs),
    Path: path,
    Args: args,
    State: formatState(record),
    Image: record.imageId,
    ResolvConfPath: hasStarted ? `${runDir}/resolv.conf` : "",
    HostnamePath: hasStarted ? `${runDir}/hostname` : "",
    HostsPath: hasStarted ? `${runDir}/hosts` : "",
    LogPath:
      hasStarted && record.hostConfig.log.driver === "json-file" ? logPathOf(facts.host, record.id) : "",
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
    NetworkSettings: formatNetworkSettings(record, facts),
  };
}

/** RFC 3339 with nanoseconds as Go prints them; Docker's zero time for "never". */
export function formatTime(timeMs: number): string {
  if (timeMs === 0) return "0001-01-01T00:00:00Z";
  return new Date(timeMs).toISOString().replace(/\.?0*Z$/, "Z");
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
