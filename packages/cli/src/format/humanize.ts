import { formatGeneral } from "@hawser/base/template";

/** Units of 1000 as people read them, 4 significant digits: `1.98MB`. */
export function formatHumanSize(bytes: number): string {
  return formatSize(bytes, {
    base: 1000,
    units: ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"],
    digits: 4,
  });
}

/** As `formatHumanSize` with 3 significant digits, as in tables. */
export function formatTableSize(bytes: number): string {
  return formatSize(bytes, {
    base: 1000,
    units: ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"],
    digits: 3,
  });
}

/** Units of 1024, 4 significant digits: `23.54GiB`. */
export function formatBinarySize(bytes: number): string {
  return formatSize(bytes, {
    base: 1024,
    units: ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"],
    digits: 4,
  });
}

function formatSize(
  bytes: number,
  options: { readonly base: number; readonly units: readonly string[]; readonly digits: number },
): string {
  let value = bytes;
  let unit = 0;
  while (value >= options.base && unit < options.units.length - 1) {
    value /= options.base;
    unit++;
  }
  return `${formatGeneral(value, options.digits)}${options.units[unit] ?? ""}`;
}

/** A span of time as people say it: `About a minute`, `3 weeks`. */
export function formatHumanDuration(seconds: number): string {
  const whole = Math.trunc(seconds);
  if (whole < 1) return "Less than a second";
  if (whole === 1) return "1 second";
  if (whole < 60) return `${whole} seconds`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.round(seconds / 3600);
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`;
  return `${Math.trunc(seconds / 3600 / 24 / 365)} years`;
}
