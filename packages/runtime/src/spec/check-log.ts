import { goQuote, parseByteSize, parseGoBool } from "@hawser/base";
import type { HostConfig } from "../container-config.ts";
import { runtimeFaults } from "../faults.ts";
import { findRemoteDriver } from "../logs/drivers/drivers.ts";
import { parseLogFlag, parseLogNumber, parseLogSize } from "../logs/drivers/option-values.ts";

type LogConfig = HostConfig["log"];

/** What every driver has: how a line is given on, and what is kept here of a log that goes elsewhere. */
const common = [
  "mode",
  "max-buffer-size",
  "cache-disabled",
  "cache-max-file",
  "cache-max-size",
  "cache-compress",
];
/** What of the container a message tells. */
const attributes = ["labels", "labels-regex", "env", "env-regex", "tag"];

const fileDrivers: Readonly<Record<string, readonly string[]>> = {
  "json-file": ["max-file", "max-size", "compress", ...attributes],
  local: ["max-file", "max-size", "compress"],
};

const refused = (words: string) => runtimeFaults.LOG_OPTION_INVALID(words);

/**
 * What is wrong with a log driver and its options when a container is made; some values are looked at when it starts.
 * @throws {Fault} `invalid-argument` with Docker's words.
 */
export function checkLog({ driver, options }: LogConfig): void {
  if (driver === "none") return;
  checkCommon(options);
  const remote = findRemoteDriver(driver);
  const known =
    remote === undefined
      ? Object.hasOwn(fileDrivers, driver) && fileDrivers[driver]
      : [...attributes, ...remote.options];
  if (!known) throw refused(`error looking up logging plugin ${driver}: plugin ${goQuote(driver)} not found`);
  const unknown = Object.keys(options).find((name) => ![...common, ...known].includes(name));
  if (unknown !== undefined) {
    const name = driver === "gelf" ? goQuote(unknown) : `'${unknown}'`;
    throw refused(
      `unknown log opt ${name} for ${driver === "local" ? "log driver local" : `${driver} log driver`}`,
    );
  }
  remote?.check(options);
}

function checkCommon(options: LogConfig["options"]): void {
  const { mode = "", "max-buffer-size": buffer, "cache-disabled": disabled = "" } = options;
  if (!["", "blocking", "non-blocking"].includes(mode))
    throw refused(`logger: logging mode not supported: ${mode}`);
  if (buffer !== undefined) {
    if (mode !== "non-blocking")
      throw refused("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
    if (parseByteSize(buffer) === undefined)
      throw refused(`error parsing option max-buffer-size: invalid size: '${buffer}'`);
  }
  if (disabled !== "" && parseGoBool(disabled) === undefined)
    throw refused(`invalid value for option cache-disabled: ${disabled}`);
}

/** Up to which size a log's file grows, and how many files are kept. */
export interface LogFileLimits {
  readonly maxSizeBytes: number;
  readonly maxFiles: number;
}

/**
 * How much of a log is kept on this host.
 * @throws {Fault} `invalid-argument` in Docker's words
 */
export function logFileLimits({ driver, options }: LogConfig): LogFileLimits {
  const prefix = findRemoteDriver(driver) === undefined ? "" : "cache-";
  const { [`${prefix}max-size`]: size, [`${prefix}max-file`]: files } = options;
  parseLogFlag(options[`${prefix}compress`]);
  const maxSizeBytes = size === undefined ? 20 << 20 : parseLogSize(size, 1000);
  const maxFiles = files === undefined ? 5 : parseLogNumber(files);
  if (maxSizeBytes <= 0) throw refused("max-size must be a positive number");
  if (maxFiles < 1) throw refused("max-file cannot be less than 1");
  return { maxSizeBytes, maxFiles };
}

/** Whether what a container says can be read here. */
export function isLogReadable({ driver, options }: LogConfig): boolean {
  if (driver === "none") return false;
  return findRemoteDriver(driver) === undefined || !parseLogFlag(options["cache-disabled"]);
}
