/** Nanoseconds since 1970 as Go's RFC3339Nano: no more digits than needed. */
export function formatTimeNs(timeNs: bigint): string {
  const second = 1_000_000_000n;
  const restNs = ((timeNs % second) + second) % second;
  const seconds = (timeNs - restNs) / second;
  const fraction = restNs.toString().padStart(9, "0").replace(/0+$/, "");
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, -5);
  return `${whole}${fraction === "" ? "" : `.${fraction}`}Z`;
}
