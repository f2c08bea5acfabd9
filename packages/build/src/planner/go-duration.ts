const unitNs: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** `1m30s` in nanoseconds; `undefined` for what is no time. */
export function parseDurationNs(text: string): number | undefined {
  if (text === "0") return 0;
  const [, sign = "", body = ""] =
    /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.exec(text) ?? [];
  if (body === "") return undefined;
  let total = 0;
  for (const [, number = "", unit = ""] of body.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    total += Number(number) * (unitNs[unit] ?? 0);
  }
  return Math.round(sign === "-" ? -total : total);
}
