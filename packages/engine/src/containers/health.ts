import type { ContainerConfig } from "@hawser/runtime";

export type HealthStatus = "starting" | "healthy" | "unhealthy";

/** What one probe found. Times in milliseconds since 1970. */
export interface ProbeResult {
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** 0: healthy; -1: it did not come to its end. */
  readonly exitCode: number;
  readonly output: string;
}

/** How a container's probes have turned out, the last ones with it, oldest first. */
export interface Health {
  readonly status: HealthStatus;
  readonly failingStreak: number;
  readonly log: readonly ProbeResult[];
}

/** When and how a container is probed: its health check with Docker's defaults. */
export interface ProbePlan {
  readonly command: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly startPeriodMs: number;
  /** Interval during the start period, until the first success. */
  readonly startIntervalMs: number;
  readonly retries: number;
}

const keptResults = 5;

/** `undefined`: nothing is to be probed, for want of a check or because it is `NONE`. */
export function probePlanOf({ healthcheck, shell }: ContainerConfig): ProbePlan | undefined {
  const [kind, ...args] = healthcheck?.test ?? [];
  if (healthcheck === undefined || (kind !== "CMD" && kind !== "CMD-SHELL")) return undefined;
  const usedShell = shell === undefined || shell.length === 0 ? ["/bin/sh", "-c"] : shell;
  return {
    command: kind === "CMD" ? args : [...usedShell, ...args],
    intervalMs: orDefault(healthcheck.intervalNs, 30_000),
    timeoutMs: orDefault(healthcheck.timeoutNs, 30_000),
    startPeriodMs: orDefault(healthcheck.startPeriodNs, 0),
    startIntervalMs: orDefault(healthcheck.startIntervalNs, 5000),
    retries: healthcheck.retries > 0 ? healthcheck.retries : 3,
  };
}

/** A field that was never given is absent in what was decoded leniently. */
function orDefault(ns: number | undefined, defaultMs: number): number {
  return ns === undefined || ns === 0 ? defaultMs : ns / 1e6;
}

/** The health of a container that begins a run; what was found in the last one is kept. */
export function beginHealth(last: Health | undefined): Health {
  return { status: "starting", failingStreak: 0, log: last?.log ?? [] };
}

/**
 * A container's health after one more probe. Failures do not count while it starts: within the start period, before the first
 * success.
 */
export function applyProbe(
  health: Health,
  result: ProbeResult,
  { plan, runStartedAtMs }: { readonly plan: ProbePlan; readonly runStartedAtMs: number },
): Health {
  const log = [...health.log, result].slice(-keptResults);
  if (result.exitCode === 0) return { status: "healthy", failingStreak: 0, log };
  const isStarting = health.status === "starting" && isEarly(plan, result.startedAtMs - runStartedAtMs);
  if (isStarting) return { ...health, log };
  const failingStreak = health.failingStreak + 1;
  return { status: failingStreak >= plan.retries ? "unhealthy" : health.status, failingStreak, log };
}

/** How long to wait before the next probe. */
export function probePauseMs(
  plan: ProbePlan,
  now: { readonly status: HealthStatus; readonly ranMs: number },
): number {
  return now.status === "starting" && isEarly(plan, now.ranMs) ? plan.startIntervalMs : plan.intervalMs;
}

/** Whether a run is in its start period. Where it began is told by another clock, which may be ahead: it ran no less than 0. */
function isEarly({ startPeriodMs }: ProbePlan, ranMs: number): boolean {
  return Math.max(0, ranMs) < startPeriodMs;
}
