import { setTimeout as delay } from "node:timers/promises";

/** What is waited for long may need the processor that asking takes. */
const longestPauseMs = 40;

/**
 * Wait until `condition` gives something other than `undefined`, `false` or a failure; its last failure is the reason
 * when the deadline passes. Tests wait for conditions with this, never for time.
 */
export async function eventually<T>(
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  options: { readonly deadlineMs?: number; readonly what?: string } = {},
): Promise<T> {
  const end = performance.now() + (options.deadlineMs ?? 10_000);
  let last: unknown;
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 1.5, longestPauseMs)) {
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) {
      throw new Error(`did not come true in time: ${options.what ?? condition.toString()}`, { cause: last });
    }
    await delay(pauseMs);
  }
}
