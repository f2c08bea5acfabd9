import type { HostConfig } from "@hawser/runtime";

const firstDelayMs = 100;
const maxDelayMs = 60_000;
/** A run that lasted so long was a good one: the next pause is the shortest again. */
const settledMs = 10_000;

/** Docker's back-off: 100 ms, doubled with each run that does not last, up to a minute. */
export function nextRestartDelay(previousMs: number, ranMs: number): number {
  if (previousMs === 0 || ranMs >= settledMs) return firstDelayMs;
  return Math.min(previousMs * 2, maxDelayMs);
}

/** Whether a container whose run is over is to run again, by what was asked for and how it ended. */
export function shouldRestart(
  policy: HostConfig["restartPolicy"],
  run: {
    readonly exitCode: number;
    /** Restarts by the policy since the last start by a user. */
    readonly restartCount: number;
    readonly stoppedByUser: boolean;
  },
): boolean {
  switch (policy.name) {
    case "no":
      return false;
    case "always":
      return true;
    case "unless-stopped":
      return !run.stoppedByUser;
    case "on-failure": {
      const max = policy.maximumRetryCount;
      return run.exitCode !== 0 && (max === 0 || run.restartCount < max);
    }
  }
}
