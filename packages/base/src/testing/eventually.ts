import { setTimeout as delay } from "node:timers/promises";

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
  for (;;) {
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
    await delay(10);
  }
}
