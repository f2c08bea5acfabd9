import type { RuntimeDevice, RuntimeDeviceRule } from "@hawser/oci";
import { runtimeFaults } from "../faults.ts";
import type { MappedDevice, SpecInput } from "./spec-input.ts";

/**
 * `linux.devices` and the device rules of the cgroup. The devices that every container has (null, zero, full, random,
 * urandom, tty, console, ptmx) are the OCI runtime's matter; their rules are here, with leave to make nodes of any kind
 * (without using them).
 *
 * @throws {Fault} `invalid-argument` for a rule that cannot be read.
 */
export function buildDevices(input: Pick<SpecInput, "hostConfig" | "devices">): {
  readonly devices: readonly RuntimeDevice[];
  readonly rules: readonly RuntimeDeviceRule[];
} {
  const { mapped } = input.devices;
  const devices = mapped.map(({ path, type, major, minor, fileMode, uid, gid }) => ({
    path,
    type,
    major,
    minor,
    fileMode,
    uid,
    gid,
  }));
  if (input.hostConfig.privileged) return { devices, rules: [{ allow: true, access: "rwm" }] };
  const rules = [
    ...defaultRules,
    ...mapped.map(ruleFor),
    ...input.hostConfig.deviceCgroupRules.map(parseDeviceRule),
  ];
  return { devices, rules };
}

/**
 * `c 42:* rwm`, as the kernel's device cgroup has it; `*`: any.
 *
 * @throws {Fault} `invalid-argument` with Docker's words.
 */
export function parseDeviceRule(text: string): RuntimeDeviceRule {
  const [, type, major, minor, access = ""] =
    /^([acb]) (\d{1,10}|\*):(\d{1,10}|\*) ([rwm]{1,3})$/.exec(text) ?? [];
  if (type !== "a" && type !== "b" && type !== "c") throw runtimeFaults.DEVICE_RULE_INVALID(text);
  return {
    allow: true,
    type,
    ...(major !== "*" && { major: Number(major) }),
    ...(minor !== "*" && { minor: Number(minor) }),
    access,
  };
}

function ruleFor({ type, major, minor, access }: MappedDevice): RuntimeDeviceRule {
  return { allow: true, type, major, minor, access };
}

const characterDevice = (major: number, minor: number | undefined): RuntimeDeviceRule => ({
  allow: true,
  type: "c",
  major,
  ...(minor !== undefined && { minor }),
  access: "rwm",
});

const defaultRules: readonly RuntimeDeviceRule[] = [
  { allow: false, access: "rwm" },
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  characterDevice(1, 3), // null
  characterDevice(1, 5), // zero
  characterDevice(1, 7), // full
  characterDevice(1, 8), // random
  characterDevice(1, 9), // urandom
  characterDevice(5, 0), // tty
  characterDevice(5, 1), // console
  characterDevice(5, 2), // ptmx
  characterDevice(136, undefined), // pts
];
