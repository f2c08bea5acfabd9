import { parseDuration } from "@hawser/base";

/** What a flag of `HEALTHCHECK` that is a time says, `interval` and the like: nanoseconds, or what is wrong in Docker's words. */
export function readHealthInterval(
  flag: string,
  text: string,
): { readonly ns: number } | { readonly problem: string } {
  if (text === "") return { ns: 0 };
  const read = parseDuration(text);
  if ("problem" in read || read.ns === 0 || read.ns >= 1e6) return read;
  return { problem: `Interval ${JSON.stringify(flag)} cannot be less than 1ms` };
}
