/** A moment as Go's `Time.String` writes it, in the local zone: `2026-11-23 18:49:27 +0000 UTC`. */
export function formatGoTime(seconds: number): string {
  const time = new Date(seconds * 1000);
  return `${localDate(time)} ${localClock(time)} ${offset(time, "")} ${zoneName(time)}`;
}

/** `2026-11-23T18:49:27.648921139Z`, nanoseconds since 1970, in the local zone. */
export function formatLocalRfc3339(ns: bigint): string {
  const seconds = ns / 1_000_000_000n;
  const time = new Date(Number(seconds) * 1000);
  const fraction = (ns - seconds * 1_000_000_000n).toString().padStart(9, "0");
  const zone = time.getTimezoneOffset() === 0 ? "Z" : offset(time, ":");
  return `${localDate(time)}T${localClock(time)}.${fraction}${zone}`;
}

function localDate(time: Date): string {
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
}

function localClock(time: Date): string {
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

function offset(time: Date, separator: string): string {
  const minutes = -time.getTimezoneOffset();
  const absolute = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.trunc(absolute / 60))}${separator}${two(absolute % 60)}`;
}

/** The zone's abbreviation; which locale knows it depends on the zone. */
function zoneName(time: Date): string {
  if (time.getTimezoneOffset() === 0) {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (/^(UTC|Etc\/)/.test(zone)) return "UTC";
  }
  for (const locale of ["en-US", "en-GB", "en-AU"]) {
    const parts = new Intl.DateTimeFormat(locale, { timeZoneName: "short" }).formatToParts(time);
    const name = parts.find(({ type }) => type === "timeZoneName")?.value;
    if (name !== undefined && !/^GMT[+-]/.test(name)) return name;
  }
  return offset(time, "").replace(/00$/, "");
}

/** A build time as people read it, `Thu May  7 21:09:36 2026`; other text stays as it is. */
export function formatBuildTime(text: string): string {
  const time = new Date(text);
  if (!/^\d{4}-\d{2}-\d{2}T/.test(text) || Number.isNaN(time.getTime())) return text;
  const [weekday = "", month = "", day = "", year = "", clock = ""] = time
    .toUTCString()
    .replace(",", "")
    .split(" ")
    .map((_, at, parts) => parts[[0, 2, 1, 3, 4][at] ?? at] ?? "");
  return `${weekday} ${month} ${String(Number(day)).padStart(2)} ${clock} ${year}`;
}
