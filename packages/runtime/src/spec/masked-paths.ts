import type { HostConfig } from "../container-config.ts";

/** Hidden from containers: they tell of the host or can hurt it. Docker's list. */
export const defaultMaskedPaths: readonly string[] = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];

/** Readable, not writable. Docker's list. */
export const defaultReadonlyPaths: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/** Nothing is hidden from a privileged container or with `systempaths=unconfined`. */
export function pathProtection(
  host: Pick<HostConfig, "privileged" | "maskedPaths" | "readonlyPaths">,
  unconfined: boolean,
): { readonly maskedPaths: readonly string[]; readonly readonlyPaths: readonly string[] } {
  if (host.privileged || unconfined) return { maskedPaths: [], readonlyPaths: [] };
  return {
    maskedPaths: host.maskedPaths ?? defaultMaskedPaths,
    readonlyPaths: host.readonlyPaths ?? defaultReadonlyPaths,
  };
}
