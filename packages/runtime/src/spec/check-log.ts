import type { HostConfig } from "../container-config.ts";
import { runtimeFaults } from "../faults.ts";

/** Options of every driver: how a line is given on, and what of the container is told with it. */
const common = [
  "mode",
  "max-buffer-size",
  "cache-disabled",
  "cache-max-file",
  "cache-max-size",
  "cache-compress",
];
const fileOptions = ["max-file", "max-size", "compress", "labels", "labels-regex", "env", "env-regex", "tag"];

/** Log driver → its options. */
const drivers: Readonly<Record<string, readonly string[]>> = {
  "json-file": fileOptions,
  local: ["max-file", "max-size", "compress"],
  none: [],
};

/** @throws {Fault} `invalid-argument` with Docker's words. */
export function checkLog({ driver, options }: HostConfig["log"]): void {
  const known = Object.hasOwn(drivers, driver) ? drivers[driver] : undefined;
  if (known === undefined) {
    throw runtimeFaults.OPTIONS_CONFLICT(`logger: no log driver named '${driver}' is registered`);
  }
  const mode = options["mode"] ?? "blocking";
  if (mode !== "blocking" && mode !== "non-blocking" && mode !== "") {
    throw runtimeFaults.OPTIONS_CONFLICT(`logger: logging mode not supported: ${mode}`);
  }
  const unknown = Object.keys(options).find((name) => ![...common, ...known].includes(name));
  if (unknown !== undefined && driver !== "none") {
    throw runtimeFaults.OPTIONS_CONFLICT(`unknown log opt '${unknown}' for ${driver} log driver`);
  }
}
