import { fluentdDriver } from "./fluentd.ts";
import { gelfDriver } from "./gelf.ts";
import { journaldDriver } from "./journald.ts";
import type { LogDriver } from "./log-driver.ts";
import { syslogDriver } from "./syslog.ts";

const remoteDrivers: Readonly<Record<string, LogDriver>> = {
  fluentd: fluentdDriver,
  gelf: gelfDriver,
  journald: journaldDriver,
  syslog: syslogDriver,
};

/** Every log driver's name, sorted. */
export const logDriverNames: readonly string[] = [
  "json-file",
  "local",
  "none",
  ...Object.keys(remoteDrivers),
].toSorted();

/** The driver of this name when it sends what it gets elsewhere; `json-file`, `local` and `none` do not. */
export function findRemoteDriver(name: string): LogDriver | undefined {
  return Object.hasOwn(remoteDrivers, name) ? remoteDrivers[name] : undefined;
}
