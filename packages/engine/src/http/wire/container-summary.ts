import type { ContainerSummary, MountPoint } from "@hawser/api";
import { type Container, commandOf } from "../../containers/container.ts";
import type { ContainerRecord } from "../../containers/container-record.ts";
import type { Health } from "../../containers/health.ts";
import { formatMountPoints } from "./container-storage.ts";
import { formatNetworks, formatPortList } from "./network-settings.ts";

/** One of `GET /containers/json`. */
export function formatSummary(
  container: Container,
  facts: { readonly nowMs: number; readonly mounts: readonly MountPoint[] },
): ContainerSummary {
  const { record } = container;
  return {
    ...beforeStatus(record),
    Status: formatStatus(record, facts.nowMs),
    ...afterStatus(record, facts.mounts),
  };
}

/** What of a record is said before and behind the words for its state, as JSON. */
interface SummaryParts {
  readonly before: Buffer;
  readonly after: Buffer;
}

/**
 * The same for lists of many, as the bytes of a JSON document: of a record, which never changes, all but the words for its state is
 * written once, and what was written is copied once.
 */
export class SummaryLists {
  readonly #parts = new WeakMap<ContainerRecord, SummaryParts>();

  /** With a line feed behind it, as Docker writes it. */
  format(containers: readonly Container[], facts: { readonly nowMs: number }): Buffer {
    if (containers.length === 0) return Buffer.from("[]\n");
    let size = "]\n".length;
    const all = containers.map(({ record }) => {
      const { before, after } = this.#parts.get(record) ?? this.#write(record);
      const status = formatStatus(record, facts.nowMs);
      size += before.length + status.length + after.length;
      return { before, status, after };
    });
    const bytes = Buffer.allocUnsafe(size);
    let at = 0;
    for (const { before, status, after } of all) {
      at += before.copy(bytes, at);
      at += bytes.write(status, at, "latin1"); // no other letters, nothing to escape
      at += after.copy(bytes, at);
    }
    bytes.write("[");
    bytes.write("]\n", at);
    return bytes;
  }

  #write(record: ContainerRecord): SummaryParts {
    const before = JSON.stringify(beforeStatus(record)).slice(0, -1);
    const after = JSON.stringify(afterStatus(record, formatMountPoints(record))).slice(1);
    const parts = { before: Buffer.from(`,${before},"Status":"`), after: Buffer.from(`",${after}`) };
    this.#parts.set(record, parts);
    return parts;
  }
}

function beforeStatus(record: ContainerRecord) {
  const [path = "", ...args] = commandOf(record.config);
  return {
    Id: record.id,
    Names: [`/${record.name}`],
    Image: record.config.image,
    ImageID: record.imageId,
    Command: [path, ...args.map(quoteArgument)].join(" "),
    Created: Math.floor(record.createdAtMs / 1000),
    Ports: formatPortList(record),
    Labels: record.config.labels,
    State: record.state.status,
  };
}

function afterStatus(record: ContainerRecord, mounts: readonly MountPoint[]) {
  return {
    HostConfig: { NetworkMode: record.hostConfig.networkMode },
    NetworkSettings: { Networks: formatNetworks(record, { withNames: false }) },
    Mounts: mounts,
  };
}

/** Docker's words for a container's state: `Up 3 minutes`, `Exited (0) 2 hours ago`. */
export function formatStatus({ state, health }: ContainerRecord, nowMs: number): string {
  switch (state.status) {
    case "running":
      return `Up ${formatDuration(nowMs - state.startedAtMs)}${formatHealth(health)}`;
    case "paused":
      return `Up ${formatDuration(nowMs - state.startedAtMs)} (Paused)`;
    case "restarting":
      return `Restarting (${state.exitCode}) ${formatDuration(nowMs - state.finishedAtMs)} ago`;
    case "exited":
      return `Exited (${state.exitCode}) ${formatDuration(nowMs - state.finishedAtMs)} ago`;
    case "created":
      return "Created";
    case "removing":
      return "Removal In Progress";
    case "dead":
      return "Dead";
  }
}

function formatHealth(health: Health | undefined): string {
  if (health === undefined) return "";
  return health.status === "starting" ? " (health: starting)" : ` (${health.status})`;
}

/** go-units' HumanDuration. */
export function formatDuration(durationMs: number): string {
  const seconds = Math.max(0, Math.floor(durationMs / 1000));
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.round(durationMs / 3_600_000);
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}

/** Docker shows an argument with a space in single quotes, but not the program itself. */
function quoteArgument(argument: string): string {
  return argument.includes(" ") ? `'${argument}'` : argument;
}
