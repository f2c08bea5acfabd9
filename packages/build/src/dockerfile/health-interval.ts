import { parseDuration } from "@hawser/base";

/** What a flag of `HEALTHCHECK` that is a time says, `interval` and the like: nanoseconds, or what is wrong in Docker's words. */
export function readHealthInterval(
  flag: string,
  text: string,
): { readonly ns: number } | { readonly problem: string } {
  const read = parseDuration(text);
  if ("problem" in read) return read;
  if (read.ns < 0) return { problem: `Interval ${JSON.stringify(flag)} cannot be negative` };
  if (read.ns > 0 && read.ns < 1e6) {
    return { problem: `Interval ${JSON.stringify(flag)} cannot be less than 1ms` };
  }
  return read;
}
