import type { ContainerConfig, Monitor } from "@hawser/runtime";
import type { PendingAttach } from "./attach.ts";
import type { ContainerId, ContainerRecord } from "./container-record.ts";
import type { ExecSession } from "./exec-session.ts";
import type { LogDelivery } from "./log-delivery.ts";

/** How a run ended, as its waiters are told. */
export interface ExitNotice {
  readonly exitCode: number;
  /** Set when the run never began, or the container could not be removed: why. */
  readonly error?: string;
}

/** A container as the engine holds it: its record, and what lives only while the engine does. */
export class Container {
  record: ContainerRecord;
  /** The control connection, while the container runs. */
  monitor: Monitor | undefined;
  /** The same while the container is being started. */
  starting: Monitor | undefined;
  /** Sends its log to where its driver has it go, while there is more to send. */
  delivery: LogDelivery | undefined;
  /** It is to go: a start that has not come up is given up. */
  unwanted = false;
  /** Ends the probing of its health, while that goes on. */
  healthWatch: AbortController | undefined;
  /** Clients that attached before the start; they are handed to the monitor with it. */
  readonly pendingAttaches = new Set<PendingAttach>();
  readonly execs = new Map<string, ExecSession>();
  /** Environment that its first process gets and no record keeps: secrets of builds. */
  secretEnv: readonly string[] = [];
  /** What it writes to its layers need not survive a power cut: the end of a run does not wait for the disk. */
  isVolatile = false;
  /** Resolves when the run that is now, or comes next, has ended and its record says so. */
  nextExit: PromiseWithResolvers<ExitNotice> = Promise.withResolvers();
  /** Resolves, with the last exit, when the container is gone, or when that has failed. */
  removed: PromiseWithResolvers<ExitNotice> = Promise.withResolvers();
  /** Resolves when the monitor of the last run has taken mounts and cgroups away. */
  tornDown: Promise<void> = Promise.resolve();
  /** A stop was asked for: the end of the run is no reason to restart. */
  stopRequested = false;
  /** It is told as a stop when the run ends. */
  stopping = false;
  /** It starts again as soon as it has ended: not an end that removes it. */
  restarting = false;
  /** The last pause before a restart by the policy; 0: none since the last start by a user. */
  restartDelayMs = 0;

  constructor(record: ContainerRecord) {
    this.record = record;
  }

  get id(): ContainerId {
    return this.record.id;
  }

  /** Tell the waiters of this run that it is over, and begin to collect those of the next. */
  settleExit(notice: ExitNotice): void {
    const { resolve } = this.nextExit;
    this.nextExit = Promise.withResolvers();
    resolve(notice);
  }

  /** Tell those who wait for the removal that it has failed, and begin to collect those of the next attempt. */
  failRemoval(why: string): void {
    const { resolve } = this.removed;
    this.removed = Promise.withResolvers();
    resolve({ exitCode: this.record.state.exitCode, error: why });
  }
}

/** The whole command line: entrypoint, then command. */
export function commandOf({ entrypoint, cmd }: ContainerConfig): readonly string[] {
  return [...(entrypoint ?? []), ...(cmd ?? [])];
}
