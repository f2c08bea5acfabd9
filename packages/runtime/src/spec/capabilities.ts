import type { RuntimeCapabilities } from "@hawser/oci";
import { runtimeFaults } from "../faults.ts";

/** Linux capabilities in the order of their numbers (`linux/capability.h`). */
export const allCapabilities: readonly string[] =
  "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
    .split(" ")
    .map((name) => `CAP_${name}`);

/** What a container may do when nothing was asked: Docker's fourteen. */
export const defaultCapabilities: readonly string[] =
  "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"
    .split(" ")
    .map((name) => `CAP_${name}`);

/**
 * The names in a `CapBnd` style hexadecimal mask of `/proc/<pid>/status`: what this host can give at all.
 */
export function parseCapabilityMask(hex: string): readonly string[] {
  const mask = BigInt(`0x${hex.trim()}`);
  return allCapabilities.filter((_name, number) => (mask >> BigInt(number)) & 1n);
}

/**
 * The capability set of a container.
 *
 * `--privileged` gives all that `available` has. `ALL` in `add` gives all but what `drop` names; `ALL` in `drop` leaves
 * what `add` names; otherwise `drop` wins over the defaults and `add` over `drop`. Names with or without `CAP_`, any case.
 * A capability that the host itself lacks is left out when it comes with `ALL` or the defaults, as it cannot be had.
 *
 * @throws {Fault} `invalid-argument` for a name that Linux does not know.
 */
export function resolveCapabilities(
  request: {
    readonly add: readonly string[];
    readonly drop: readonly string[];
    readonly privileged: boolean;
  },
  available: readonly string[] = allCapabilities,
): readonly string[] {
  const add = normalize("CapAdd", request.add);
  const drop = normalize("CapDrop", request.drop);
  if (request.privileged) return available;
  const start = add.has("ALL") ? allCapabilities : drop.has("ALL") ? [] : defaultCapabilities;
  const kept = new Set(start.filter((name) => available.includes(name) && !drop.has(name)));
  for (const name of add) if (name !== "ALL" && !(add.has("ALL") && drop.has(name))) kept.add(name);
  return allCapabilities.filter((name) => kept.has(name));
}

/** As `execve` gives them: root holds the set, another user only may gain it. */
export function capabilitySets(names: readonly string[], uid: number): RuntimeCapabilities {
  const held = uid === 0 ? names : [];
  return { bounding: names, effective: held, permitted: held, inheritable: [], ambient: [] };
}

function normalize(option: string, names: readonly string[]): ReadonlySet<string> {
  return new Set(
    names.map((given) => {
      const name = given.toUpperCase();
      if (name === "ALL") return name;
      const full = name.startsWith("CAP_") ? name : `CAP_${name}`;
      if (!allCapabilities.includes(full)) throw runtimeFaults.CAPABILITY_UNKNOWN(option, full);
      return full;
    }),
  );
}
