import type { RuntimeProcess } from "@hawser/oci";
import type { ContainerConfig, HostConfig } from "../container-config.ts";
import { runtimeFaults } from "../faults.ts";
import { capabilitySets, resolveCapabilities } from "./capabilities.ts";
import { variableName } from "./merge-image-config.ts";
import { initPathInside, usesInit } from "./mounts.ts";
import { buildRlimits } from "./resources.ts";
import { parseSecurityOptions } from "./security-opt.ts";
import type { HostFacts, SpecInput } from "./spec-input.ts";
import type { ResolvedUser } from "./user.ts";

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** `process` of a container's first process. @throws {Fault} `invalid-argument` */
export function buildProcess(
  input: Pick<SpecInput, "config" | "hostConfig" | "user" | "host">,
): RuntimeProcess {
  const { config, hostConfig, user } = input;
  const command = [...(config.entrypoint ?? []), ...(config.cmd ?? [])];
  if (command.length === 0) throw runtimeFaults.NO_COMMAND();
  const [height, width] = hostConfig.consoleSize;
  return {
    terminal: config.tty,
    ...(config.tty && height > 0 && width > 0 && { consoleSize: { height, width } }),
    args: usesInit(hostConfig) ? [initPathInside, "--", ...command] : command,
    env: containerEnv(config, { tty: config.tty, home: user.home }),
    cwd: workingDirOf(config.workingDir),
    oomScoreAdj: hostConfig.oomScoreAdj,
    ...confinement({ hostConfig, user, host: input.host, privileged: hostConfig.privileged }),
  };
}

/** What is asked of a further process in a container. */
export interface ExecRequest {
  readonly cmd: readonly string[];
  readonly env: readonly string[];
  /** Empty: the container's. */
  readonly workingDir: string;
  readonly tty: boolean;
  readonly privileged: boolean;
  /** height, width */
  readonly consoleSize?: readonly [number, number];
}

/**
 * The process file of an exec: the container's environment and confinement, with what the exec asks on top. `user` is
 * resolved from the exec's user, or from the container's when it names none.
 *
 * @throws {Fault} `invalid-argument`
 */
export function buildExecProcess(input: {
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly exec: ExecRequest;
  readonly user: ResolvedUser;
  readonly host: Pick<HostFacts, "capabilities" | "appArmor" | "appArmorProfile">;
}): RuntimeProcess {
  const { config, hostConfig, exec, user, host } = input;
  const [height, width] = exec.consoleSize ?? [0, 0];
  const env = mergeEnv(containerEnv(config, { tty: exec.tty, home: user.home }), exec.env);
  return {
    terminal: exec.tty,
    ...(exec.tty && height > 0 && width > 0 && { consoleSize: { height, width } }),
    args: exec.cmd,
    env,
    cwd: workingDirOf(exec.workingDir || config.workingDir),
    oomScoreAdj: hostConfig.oomScoreAdj,
    ...confinement({ hostConfig, user, host, privileged: hostConfig.privileged || exec.privileged }),
  };
}

/** What a process may do, the same for the first one and those that follow. */
function confinement(input: {
  readonly hostConfig: HostConfig;
  readonly user: ResolvedUser;
  readonly host: Pick<HostFacts, "capabilities" | "appArmor" | "appArmorProfile">;
  readonly privileged: boolean;
}): Pick<RuntimeProcess, "user" | "capabilities" | "rlimits" | "noNewPrivileges" | "apparmorProfile"> {
  const { hostConfig, user, host, privileged } = input;
  const security = parseSecurityOptions(hostConfig.securityOpt);
  const capabilities = resolveCapabilities(
    { add: hostConfig.capAdd, drop: hostConfig.capDrop, privileged },
    host.capabilities,
  );
  const appArmor = security.appArmor ?? (privileged ? "unconfined" : host.appArmorProfile);
  return {
    user: { uid: user.uid, gid: user.gid, additionalGids: [user.gid, ...user.additionalGids] },
    capabilities: capabilitySets(capabilities, user.uid),
    rlimits: buildRlimits(hostConfig.ulimits),
    noNewPrivileges: security.noNewPrivileges,
    ...(host.appArmor && appArmor !== undefined && { apparmorProfile: appArmor }),
  };
}

/** PATH, HOSTNAME, TERM for a terminal, HOME; each gives way to the container's own. */
function containerEnv(
  config: Pick<ContainerConfig, "hostname" | "env">,
  facts: { readonly tty: boolean; readonly home: string },
): readonly string[] {
  const defaults = [
    `PATH=${defaultPath}`,
    `HOSTNAME=${config.hostname}`,
    ...(facts.tty ? ["TERM=xterm"] : []),
  ];
  const env = mergeEnv(defaults, config.env);
  return env.some((entry) => variableName(entry) === "HOME") ? env : [...env, `HOME=${facts.home}`];
}

/** `changes` replace in place or are appended; a name without `=` removes. */
function mergeEnv(base: readonly string[], changes: readonly string[]): readonly string[] {
  const merged = new Map(base.map((entry) => [variableName(entry), entry]));
  for (const entry of changes) {
    const name = variableName(entry);
    if (entry.includes("=")) merged.set(name, entry);
    else merged.delete(name);
  }
  return [...merged.values()];
}

function workingDirOf(path: string): string {
  if (path === "") return "/";
  if (!path.startsWith("/")) throw runtimeFaults.WORKDIR_NOT_ABSOLUTE(path);
  return path;
}
