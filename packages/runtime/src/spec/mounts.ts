import type { RuntimeMount } from "@hawser/oci";
import type { HostConfig } from "../container-config.ts";
import { runtimeFaults } from "../faults.ts";
import { cleanPath, tmpfsOptionsOf } from "./bind.ts";
import { parseIpcMode } from "./namespaces.ts";
import { parseSecurityOptions } from "./security-opt.ts";
import type { ResolvedMount, SpecInput } from "./spec-input.ts";
import { parseTmpfsOptions } from "./tmpfs.ts";
import { userMapOf } from "./user-map.ts";

/** Where the init program is inside a container that asked for one; Docker's place. */
export const initPathInside = "/sbin/docker-init";

const defaultShmSizeBytes = 64 * 1024 * 1024;

type MountInput = Pick<
  SpecInput,
  "hostConfig" | "host" | "mounts" | "files" | "shmPath" | "initPath" | "namespacePaths"
>;

/**
 * `mounts` of the specification, in order: the kernel's file systems, the user's mounts (parents before children), then
 * Hawser's files. A user's mount replaces the default at its target; one at /dev also those below.
 *
 * @throws {Fault} `invalid-argument` for two mounts at one target.
 */
export function buildMounts(input: MountInput): readonly RuntimeMount[] {
  const { hostConfig } = input;
  const users = userMounts(input);
  const taken = new Set(users.map(({ destination }) => destination));
  const defaults = kernelMounts(input).filter(
    ({ destination }) => !taken.has(destination) && !(taken.has("/dev") && destination.startsWith("/dev/")),
  );
  const own = [...fileMounts(input), ...initMount(input)].filter(
    ({ destination }) => !taken.has(destination),
  );
  const mounts = [...defaults, ...users, ...own];
  if (!hostConfig.readonlyRootfs) return mounts;
  return mounts.map((mount) =>
    taken.has(mount.destination) || writableInReadOnly.has(mount.destination) ? mount : readOnly(mount),
  );
}

/** Mounts of their own kind, which stay writable when the root file system is not. */
const writableInReadOnly: ReadonlySet<string> = new Set([
  "/proc",
  "/dev",
  "/dev/pts",
  "/dev/shm",
  "/dev/mqueue",
]);

function kernelMounts(input: MountInput): readonly RuntimeMount[] {
  const { privileged, securityOpt } = input.hostConfig;
  const access = privileged ? [] : ["ro"];
  const { writableCgroups = privileged } = parseSecurityOptions(securityOpt);
  const plain = ["nosuid", "noexec", "nodev"];
  return [
    { destination: "/proc", type: "proc", source: "proc", options: plain },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    // The kernel gives a file system of a network to nobody but those whom the network belongs to.
    userMapOf(input.hostConfig, input.host) === undefined
      ? { destination: "/sys", type: "sysfs", source: "sysfs", options: [...plain, ...access] }
      : { destination: "/sys", type: "bind", source: "/sys", options: ["rbind", ...plain, "ro"] },
    {
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: [...(writableCgroups ? [] : ["ro"]), ...plain],
    },
    ...ipcMounts(input, plain),
  ];
}

function ipcMounts({ hostConfig, shmPath }: MountInput, plain: readonly string[]): readonly RuntimeMount[] {
  const mode = parseIpcMode(hostConfig.ipcMode).kind;
  const mqueue: RuntimeMount = {
    destination: "/dev/mqueue",
    type: "mqueue",
    source: "mqueue",
    options: plain,
  };
  if (mode === "none") return [mqueue];
  const bind = (source: string, flags: readonly string[]): RuntimeMount => ({
    destination: "/dev/shm",
    type: "bind",
    source,
    options: ["rbind", "rprivate", ...flags],
  });
  if (mode === "host") return [mqueue, bind("/dev/shm", [])];
  if (shmPath !== undefined) return [mqueue, bind(shmPath, plain)];
  const options = [...plain, ...shmOptions(hostConfig)];
  return [mqueue, { destination: "/dev/shm", type: "tmpfs", source: "shm", options }];
}

/** Options of the tmpfs at /dev/shm, which do not say where it is. */
export function shmOptions({ shmSizeBytes }: Pick<HostConfig, "shmSizeBytes">): readonly string[] {
  return ["mode=1777", `size=${shmSizeBytes || defaultShmSizeBytes}`];
}

function userMounts({ hostConfig, mounts }: MountInput): readonly RuntimeMount[] {
  const requested: RuntimeMount[] = [
    ...mounts.map(bindMount),
    ...hostConfig.mounts
      .filter(({ type }) => type === "tmpfs")
      .map((mount) => tmpfsMount(mount.target, tmpfsOptionsOf(mount))),
    ...Object.entries(hostConfig.tmpfs).map(([target, options]) => tmpfsMount(target, options)),
  ];
  const seen = new Set<string>();
  for (const { destination } of requested) {
    if (seen.has(destination)) throw runtimeFaults.MOUNT_DUPLICATE(destination);
    seen.add(destination);
  }
  const depth = (path: string) => path.split("/").length;
  return requested.toSorted((a, b) => depth(a.destination) - depth(b.destination));
}

function bindMount(mount: ResolvedMount): RuntimeMount {
  const access = mount.readOnly ? ["ro"] : [];
  const { inherited = [] } = mount;
  return {
    destination: cleanPath(mount.target),
    type: "bind",
    source: mount.source,
    options: [...new Set([mount.recursive ? "rbind" : "bind", ...access, ...inherited, mount.propagation])],
  };
}

function tmpfsMount(target: string, options: string): RuntimeMount {
  return {
    destination: cleanPath(target),
    type: "tmpfs",
    source: "tmpfs",
    options: parseTmpfsOptions(options),
  };
}

function fileMounts({ files }: MountInput): readonly RuntimeMount[] {
  return (
    [
      ["/etc/resolv.conf", files.resolvConf],
      ["/etc/hostname", files.hostname],
      ["/etc/hosts", files.hosts],
    ] as const
  ).flatMap(([destination, source]) =>
    source === undefined ? [] : [{ destination, type: "bind", source, options: ["rbind", "rprivate"] }],
  );
}

function initMount({ hostConfig, initPath }: MountInput): readonly RuntimeMount[] {
  if (!usesInit(hostConfig)) return [];
  return [{ destination: initPathInside, type: "bind", source: initPath, options: ["bind", "ro"] }];
}

/** An init program has nothing to do in a process namespace that has one. */
export function usesInit({ init, pidMode }: { readonly init?: boolean; readonly pidMode: string }): boolean {
  return init === true && pidMode === "";
}

function readOnly(mount: RuntimeMount): RuntimeMount {
  const options = mount.options ?? [];
  return options.includes("ro") ? mount : { ...mount, options: [...options, "ro"] };
}

/**
 * `linux.rootfsPropagation`: mounts of the host reach a container's slave or shared mounts only when its root lets them.
 */
export function rootfsPropagation(mounts: readonly ResolvedMount[]): "rslave" | "shared" | undefined {
  if (mounts.some(({ propagation }) => propagation.endsWith("shared"))) return "shared";
  return mounts.some(({ propagation }) => propagation.endsWith("slave")) ? "rslave" : undefined;
}
