import type { ContainerId } from "./container-record.ts";

/** What an exec is asked to be. */
export interface ExecConfig {
  readonly cmd: readonly string[];
  readonly env: readonly string[];
  readonly user: string;
  readonly workingDir: string;
  readonly privileged: boolean;
  readonly tty: boolean;
  readonly attachStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  /** Docker's text form; empty: the default. */
  readonly detachKeys: string;
  /** height, width */
  readonly consoleSize?: readonly [number, number];
}

/** An exec of a container: created, then at most once started, then ended. */
export class ExecSession {
  readonly id: string;
  readonly containerId: ContainerId;
  readonly config: ExecConfig;
  phase: "created" | "starting" | "running" | "ended" = "created";
  pid = 0;
  exitCode: number | undefined;
  readonly ended: PromiseWithResolvers<number> = Promise.withResolvers();

  constructor(id: string, containerId: ContainerId, config: ExecConfig) {
    this.id = id;
    this.containerId = containerId;
    this.config = config;
  }

  /** The process ended, or never began; the first word counts. */
  settle(exitCode: number): void {
    if (this.phase === "ended") return;
    this.phase = "ended";
    this.exitCode = exitCode;
    this.ended.resolve(exitCode);
  }
}
