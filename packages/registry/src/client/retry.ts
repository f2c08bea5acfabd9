import { setTimeout as sleep } from "node:timers/promises";

/** How a client waits between tries. */
export interface RetryPolicy {
  /** Tries after the first one that went wrong without anything gained. */
  readonly retries: number;
  /** Before the first of them; doubles from one to the next. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** In [0, 1): so that many clients do not come back at the same moment. */
  readonly random: () => number;
}

export const defaultRetryPolicy: RetryPolicy = {
  retries: 5,
  firstDelayMs: 250,
  maxDelayMs: 60_000,
  random: Math.random,
};

/** Wait before try number `attempt` (from 1). What the registry asked for counts, up to the policy's longest wait. */
export async function waitForRetry(
  policy: RetryPolicy,
  options: {
    readonly attempt: number;
    readonly askedMs?: number | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<void> {
  const { attempt, askedMs, signal } = options;
  const ownMs = policy.firstDelayMs * 2 ** (attempt - 1) * (0.5 + policy.random() / 2);
  await sleep(Math.min(askedMs ?? ownMs, policy.maxDelayMs), undefined, signal && { signal });
}

/** `Retry-After` in milliseconds: seconds, or a date. RFC 9110, 10.2.3. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
