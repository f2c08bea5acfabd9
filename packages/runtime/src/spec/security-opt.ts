import { runtimeFaults } from "../faults.ts";

export interface SecurityOptions {
  /** `unconfined`, or the policy's JSON text; absent: the default policy. */
  readonly seccomp?: string;
  readonly appArmor?: string;
  readonly noNewPrivileges: boolean;
  /** `systempaths=unconfined`: no masked and read-only paths. */
  readonly systemPathsUnconfined: boolean;
  /** Whether the container's cgroups can be written; absent: only when it is privileged. */
  readonly writableCgroups?: boolean;
}

/**
 * The values of `--security-opt`, with `=` or the older `:`. SELinux labels are accepted and mean nothing here.
 *
 * @throws {Fault} `invalid-argument` with Docker's words.
 */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  let seccomp: string | undefined;
  let appArmor: string | undefined;
  let noNewPrivileges = false;
  let systemPathsUnconfined = false;
  let writableCgroups: boolean | undefined;
  for (const option of options) {
    if (option === "no-new-privileges") {
      noNewPrivileges = true;
      continue;
    }
    if (option === "disable") continue;
    if (option === "writable-cgroups") {
      writableCgroups = true;
      continue;
    }
    const [, key, value = ""] = /^([^=:]+)[=:](.*)$/s.exec(option) ?? [];
    switch (key) {
      case "label":
        break;
      case "apparmor":
        appArmor = value;
        break;
      case "seccomp":
        seccomp = value;
        break;
      case "no-new-privileges":
        noNewPrivileges = parseBoolean(option, value);
        break;
      case "writable-cgroups":
        writableCgroups = parseBoolean(option, value);
        break;
      case "systempaths":
        if (value !== "unconfined") throw runtimeFaults.SECURITY_OPT_INVALID(2, option);
        systemPathsUnconfined = true;
        break;
      case undefined:
        throw runtimeFaults.SECURITY_OPT_INVALID(1, option);
      default:
        throw runtimeFaults.SECURITY_OPT_INVALID(2, option);
    }
  }
  return {
    ...(seccomp !== undefined && { seccomp }),
    ...(appArmor !== undefined && { appArmor }),
    noNewPrivileges,
    systemPathsUnconfined,
    ...(writableCgroups !== undefined && { writableCgroups }),
  };
}

function parseBoolean(option: string, value: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw runtimeFaults.SECURITY_OPT_INVALID(2, option);
}
