import type { PublishedPort } from "@hawser/network";
import type { ContainerConfig, HostConfig, ResolvedMount } from "@hawser/runtime";
import type { Attachment, EndpointRecord } from "../networks/attachment.ts";
import type { Health } from "./health.ts";

/** 64 lower-case hexadecimal digits; made by `createContainerId` or read from a record, never typed by a user. */
export type ContainerId = string & { readonly brand: "ContainerId" };

export type ContainerStatus =
  | "created"
  | "running"
  | "paused"
  | "restarting"
  | "removing"
  | "exited"
  | "dead";

/** Where a container is in its life, and how its last run ended. Times in milliseconds since 1970; 0: never. */
export interface ContainerState {
  readonly status: ContainerStatus;
  /** 0 unless running. */
  readonly pid: number;
  readonly exitCode: number;
  /** Why the last start failed, in the words that the client was told; empty otherwise. */
  readonly error: string;
  readonly oomKilled: boolean;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
}

/** What the engine keeps of a container: all of it in one row of the state database. */
export interface ContainerRecord {
  readonly id: ContainerId;
  /** Without the leading slash of Docker's wire. */
  readonly name: string;
  readonly createdAtMs: number;
  /** The image's config digest. */
  readonly imageId: string;
  /** As asked for, image defaults merged in. */
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly state: ContainerState;
  /** What is mounted beside tmpfs: decided when the container is made. Absent: the binds of `hostConfig`. */
  readonly mounts?: readonly ContainerMount[];
  /** Restarts by the policy since the last start by a user. */
  readonly restartCount: number;
  /** A user has asked the last run to end. Absent in records of older engines: nobody has. */
  readonly stoppedByUser?: boolean;
  /** How its health check has turned out; absent when it has none, and in records of older engines. */
  readonly health?: Health;
  /** Its networks, that of the network mode first. Absent in records of older engines: `attachmentsOf`. */
  readonly attachments?: readonly Attachment[];
  /** The host's ports that lead to it while it runs. */
  readonly published?: readonly PublishedPort[] | undefined;
  /** Of older engines: its place on the network of its mode. */
  readonly endpoint?: EndpointRecord | undefined;
}

/** A folder or file of the host, or a volume, at a place in a container. */
export interface ContainerMount extends ResolvedMount {
  readonly type: "bind" | "volume" | "image";
  /** The options as asked for, as inspect shows them. */
  readonly mode: string;
  readonly volume?: {
    readonly name: string;
    /** Nobody named it: it goes with the container, when the container's volumes do. */
    readonly anonymous: boolean;
    /** The plugin that has it, and finds its folder at each start. */
    readonly driver?: string;
  };
  /** `source` is its name, as asked for; its layers are those of the snapshot, which takes what is written unless it is read-only. */
  readonly image?: { readonly id: string; readonly snapshot: string };
  /** `owners` are to be found at the start: the source's owner is seen as the container's user. */
  readonly ownerBecomesUser?: boolean;
}

export const createdState: ContainerState = {
  status: "created",
  pid: 0,
  exitCode: 0,
  error: "",
  oomKilled: false,
  startedAtMs: 0,
  finishedAtMs: 0,
};

/** Whether a container runs, as its users see it: one that waits for its restart does. */
export function isRunning(record: ContainerRecord): boolean {
  return hasProcess(record) || record.state.status === "restarting";
}

/** Whether a container has a first process, going or paused. */
export function hasProcess({ state }: ContainerRecord): boolean {
  return state.status === "running" || state.status === "paused";
}
