/** A moment as Go's `Time.String` writes it, in the local zone: `2026-11-23 18:49:27 +0000 UTC`. */
export function formatGoTime(seconds: number): string {
  const time = new Date(seconds * 1000);
  return `${localDate(time)} ${localClock(time)} ${offset(time, "")} ${zoneName(time)}`;
}

/** A moment as RFC 3339 has it, as Go's `Time.String` writes it: `2026-11-23 18:49:27.64892 +0000 UTC`. Anything else stays as it is. */
export function formatGoTimestamp(text: string): string {
  const match = /^\d{4}-\d{2}-\d{2}T[\d:]{8}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.exec(text);
  if (match === null) return text;
  const fraction = (match[1] ?? "").replace(/\.?0*$/, "");
  const [, date = "", clock = "", ...zone] =
    /^(\S+) (\S+) (.*)$/.exec(goUtc(Date.parse(text), match[2] ?? "Z")) ?? [];
  return `${date} ${clock}${fraction} ${zone.join(" ")}`;
}

/** In the zone that the text is in. */
function goUtc(ms: number, zone: string): string {
  const minutes =
    zone === "Z" ? 0 : Number(`${zone[0]}1`) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4)));
  const shifted = new Date(ms + minutes * 60_000).toISOString();
  const offsetText = zone === "Z" ? "+0000 UTC" : `${zone.replace(":", "")} ${zone.replace(":", "")}`;
  return `${shifted.slice(0, 10)} ${shifted.slice(11, 19)} ${offsetText}`;
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

/** Abbreviations by offset and year: to ask for one costs more than all else about a line of a list. */
const zoneNames = new Map<string, string>();

/** The zone's abbreviation. */
function zoneName(time: Date): string {
  const key = `${time.getTimezoneOffset()} ${time.getFullYear()}`;
  const known = zoneNames.get(key) ?? findZoneName(time);
  zoneNames.set(key, known);
  return known;
}

/** Which locale knows it depends on the zone. */
function findZoneName(time: Date): string {
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
