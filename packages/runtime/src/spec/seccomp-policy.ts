import type { RuntimeSyscallArgument } from "@hawser/oci";
import { runtimeFaults } from "../faults.ts";

/** A policy with conditions, as Docker's profile files have it: `resolveSeccomp` makes the OCI form of it. */
export interface SeccompPolicy {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  /** `native`: this machine's and those it can also run. */
  readonly architectures: "native" | readonly string[];
  readonly flags?: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

/** Counts when all of `includes` and none of `excludes` is true. */
export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly RuntimeSyscallArgument[];
  readonly includes?: SeccompConditions;
  readonly excludes?: SeccompConditions;
}

export interface SeccompConditions {
  /** Go's names: `amd64`, `arm64`. */
  readonly arches?: readonly string[];
  readonly caps?: readonly string[];
  /** `4.8` */
  readonly minKernel?: string;
}

const maxProfileBytes = 1 << 20;

/**
 * A profile file in Docker's form: `architectures` or `archMap`, `syscalls` with `names` or the older `name`.
 *
 * @throws {Fault} `invalid-argument` with the place that is wrong.
 */
export function parseSeccompProfile(text: string): SeccompPolicy {
  if (text.length > maxProfileBytes) throw wrong(`it has more than ${maxProfileBytes} characters`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error)).because(error);
  }
  const profile = objectAt(json, "profile");
  const listed = optional(profile.architectures, (value) => stringsAt(value, "architectures")) ?? [];
  const mapped = optional(profile.archMap, (value) => arrayAt(value, "archMap")) ?? [];
  if (listed.length > 0 && mapped.length > 0) {
    throw wrong("both 'architectures' and 'archMap' are specified, use either 'architectures' or 'archMap'");
  }
  const defaultErrnoRet = optional(profile.defaultErrnoRet, (value) => numberAt(value, "defaultErrnoRet"));
  const flags = optional(profile.flags, (value) => stringsAt(value, "flags"));
  const syscalls = optional(profile.syscalls, (value) => arrayAt(value, "syscalls")) ?? [];
  return {
    defaultAction: stringAt(profile.defaultAction, "defaultAction"),
    ...(defaultErrnoRet !== undefined && { defaultErrnoRet }),
    architectures: mapped.length > 0 ? "native" : listed,
    ...(flags !== undefined && { flags }),
    syscalls: syscalls.map((rule, index) => parseRule(rule, `syscalls[${index}]`)),
  };
}

function parseRule(value: unknown, place: string): SeccompRule {
  const rule = objectAt(value, place);
  const name = optional(rule.name, (given) => stringAt(given, `${place}.name`)) ?? "";
  const names = optional(rule.names, (given) => stringsAt(given, `${place}.names`)) ?? [];
  if (name !== "" && names.length > 0) {
    throw wrong("both 'name' and 'names' are specified, use either 'name' or 'names'");
  }
  const errnoRet = optional(rule.errnoRet, (given) => numberAt(given, `${place}.errnoRet`));
  const args = optional(rule.args, (given) =>
    arrayAt(given, `${place}.args`).map((argument, index) =>
      parseArgument(argument, `${place}.args[${index}]`),
    ),
  );
  const includes = optional(rule.includes, (given) => parseConditions(given, `${place}.includes`));
  const excludes = optional(rule.excludes, (given) => parseConditions(given, `${place}.excludes`));
  return {
    names: name === "" ? names : [name],
    action: stringAt(rule.action, `${place}.action`),
    ...(errnoRet !== undefined && { errnoRet }),
    ...(args !== undefined && args.length > 0 && { args }),
    ...(includes && { includes }),
    ...(excludes && { excludes }),
  };
}

function parseArgument(value: unknown, place: string): RuntimeSyscallArgument {
  const argument = objectAt(value, place);
  return {
    index: numberAt(argument.index, `${place}.index`),
    value: numberAt(argument.value, `${place}.value`),
    valueTwo: optional(argument.valueTwo, (given) => numberAt(given, `${place}.valueTwo`)) ?? 0,
    op: stringAt(argument.op, `${place}.op`),
  };
}

function parseConditions(value: unknown, place: string): SeccompConditions {
  const conditions = objectAt(value, place);
  const arches = optional(conditions.arches, (given) => stringsAt(given, `${place}.arches`));
  const caps = optional(conditions.caps, (given) => stringsAt(given, `${place}.caps`));
  const minKernel = optional(conditions.minKernel, (given) => stringAt(given, `${place}.minKernel`));
  if (minKernel !== undefined && !/^\d+\.\d+/.test(minKernel)) {
    throw wrong(`${place}.minKernel: invalid kernel version ${JSON.stringify(minKernel)}`);
  }
  return { ...(arches && { arches }), ...(caps && { caps }), ...(minKernel !== undefined && { minKernel }) };
}

function optional<T>(value: unknown, parse: (value: NonNullable<unknown>) => T): T | undefined {
  return value === undefined || value === null ? undefined : parse(value);
}

function objectAt(value: unknown, place: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw wrong(`${place}: an object was wanted`);
  }
  return { ...value };
}

function arrayAt(value: unknown, place: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(`${place}: a list was wanted`);
  return value;
}

function stringsAt(value: unknown, place: string): readonly string[] {
  return arrayAt(value, place).map((member, index) => stringAt(member, `${place}[${index}]`));
}

function stringAt(value: unknown, place: string): string {
  if (typeof value !== "string") throw wrong(`${place}: a text was wanted`);
  return value;
}

function numberAt(value: unknown, place: string): number {
  if (!Number.isSafeInteger(value) || Number(value) < 0) throw wrong(`${place}: a whole number was wanted`);
  return Number(value);
}

function wrong(reason: string) {
  return runtimeFaults.SECCOMP_PROFILE_INVALID(reason);
}
