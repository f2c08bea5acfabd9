import type { DeviceMapping, DeviceRequest, ThrottleDevice } from "@hawser/api";
import { parseByteSize } from "./byte-size.ts";
import { parseCsvFields, splitPair } from "./csv-fields.ts";
import { parseGoInteger } from "./go-number.ts";
import { valueError } from "./value-error.ts";

/** `--device host[:container][:rwm]`. The path is checked by `checkDevice`, so that names of CDI devices pass. */
export function parseDevice(text: string): DeviceMapping {
  const parts = text.split(":");
  const [host = "", second, third] = parts;
  if (parts.length > 3) throw valueError(`invalid device specification: ${text}`);
  const secondIsMode = second !== undefined && isMode(second);
  const inside = second === undefined || second === "" || secondIsMode ? host : second;
  return {
    PathOnHost: host,
    PathInContainer: inside,
    CgroupPermissions: third ?? (secondIsMode ? second : "rwm"),
  };
}

/** Refuse what cannot be a device: `--device` values must be absolute paths, the mode some of `rwm`. */
export function checkDevice(text: string): string {
  const parts = text.split(":");
  const [host = "", second = "", third] = parts;
  if (text === "" || parts.length > 3) throw valueError(`bad format for path: ${text}`);
  if (!host.startsWith("/")) throw valueError(`${host} is not an absolute path`);
  if (third !== undefined && !isMode(third)) throw valueError(`bad mode specified: ${third}`);
  if (second !== "" && !isMode(second) && !second.startsWith("/")) {
    throw valueError(`${second} is not an absolute path`);
  }
  return text;
}

function isMode(text: string): boolean {
  return /^[rwm]+$/.test(text) && new Set(text).size === text.length;
}

/** Whether `--device` names a CDI device (`vendor.com/class=name`). */
export function isCdiDevice(text: string): boolean {
  return /^[a-zA-Z][\w.-]*\/[a-zA-Z][\w.-]*=[\w.:-]+$/.test(text);
}

/** `--device-cgroup-rule`: `c 1:3 rwm`. */
export function checkDeviceCgroupRule(text: string): string {
  if (/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(text)) return text;
  throw valueError(`invalid device cgroup format '${text}'`);
}

/** `--device-read-bps /dev/sda:1mb`. */
export function parseThrottleBps(text: string): ThrottleDevice {
  return throttle(text, {
    rate: parseByteSize,
    wanted:
      "The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb",
  });
}

/** `--device-read-iops /dev/sda:100`. */
export function parseThrottleIops(text: string): ThrottleDevice {
  return throttle(text, {
    rate: (value) => parseGoInteger(value, { base: 10, unsigned: true }),
    wanted: "The correct format is <device-path>:<number>. Number must be a positive integer",
  });
}

function throttle(
  text: string,
  options: { readonly rate: (value: string) => number; readonly wanted: string },
): ThrottleDevice {
  const [path, value] = devicePair(text);
  try {
    return { Path: path, Rate: options.rate(value) };
  } catch {
    throw valueError(`invalid rate for device: ${text}. ${options.wanted}`);
  }
}

/** `--blkio-weight-device /dev/sda:100`. */
export function parseWeightDevice(text: string): { readonly Path: string; readonly Weight: number } {
  const [path, value] = devicePair(text);
  const weight = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (weight === 0 || (weight >= 10 && weight <= 1000)) return { Path: path, Weight: weight };
  throw valueError(`invalid weight for device: ${text}`);
}

function devicePair(text: string): readonly [string, string] {
  const at = text.indexOf(":");
  if (at <= 0) throw valueError(`bad format: ${text}`);
  const path = text.slice(0, at);
  if (!path.startsWith("/dev/")) throw valueError(`bad format for device path: ${text}`);
  return [path, text.slice(at + 1)];
}

/** `--gpus all`, `--gpus 2`, `--gpus driver=…,count=…,"capabilities=…"`. */
export function parseGpus(text: string): DeviceRequest {
  let driver = "";
  let count: number | undefined;
  let deviceIds: readonly string[] = [];
  let capabilities: readonly string[] = [];
  let options: Readonly<Record<string, string>> = {};
  const seen = new Set<string>();
  for (const [index, field] of parseCsvFields(text).entries()) {
    const [key, value] = splitPair(field);
    const name = value === undefined && index === 0 ? "count" : key;
    if (seen.has(name)) throw valueError(`gpu request key '${name}' can be specified only once`);
    seen.add(name);
    if (value === undefined && index > 0) {
      throw valueError(`unexpected key '${key}' in '${field}'`);
    }
    const setting = value ?? key;
    switch (name) {
      case "driver":
        driver = setting;
        break;
      case "count":
        count = gpuCount(setting);
        break;
      case "device":
        deviceIds = setting.split(",");
        break;
      case "capabilities":
        capabilities = [...setting.split(","), "gpu"];
        break;
      case "options":
        options = Object.fromEntries(
          parseCsvFields(setting).map((option) => {
            const [optionKey, optionValue = ""] = splitPair(option);
            return [optionKey, optionValue];
          }),
        );
        break;
      default:
        throw valueError(`unexpected key '${key}' in '${field}'`);
    }
  }
  return {
    Driver: driver,
    Count: count ?? (deviceIds.length === 0 ? 1 : 0),
    DeviceIDs: deviceIds.length === 0 ? null : deviceIds,
    Capabilities: [capabilities.length === 0 ? ["gpu"] : [...new Set(capabilities)]],
    Options: options,
  };
}

function gpuCount(text: string): number {
  if (text === "all") return -1;
  try {
    return parseGoInteger(text, { base: 10 });
  } catch {
    throw valueError(`invalid count (${text}): value must be either "all" or an integer: invalid syntax`);
  }
}
