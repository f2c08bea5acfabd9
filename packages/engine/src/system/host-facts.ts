import { createHash } from "node:crypto";
import { readFile, statfs } from "node:fs/promises";
import { hostname, machine, release, totalmem } from "node:os";
import type { CgroupLayout } from "@hawser/runtime";

/** What this machine is and can, as far as clients ask. */
export interface HostFacts {
  readonly hostName: string;
  readonly kernelVersion: string;
  /** `x86_64`. */
  readonly machine: string;
  /** `Debian GNU/Linux 12 (bookworm)`. */
  readonly operatingSystem: string;
  readonly osVersion: string;
  readonly memoryBytes: number;
  /** The same on every start on the same machine, different on others; tells nothing about them. */
  readonly engineId: string;
  /** Name of the file system below the data root; its number in hexadecimal where no name is known. */
  readonly backingFilesystem: string;
  readonly ipForwarding: boolean;
  /** Cgroup controllers that limits need and this kernel has. */
  readonly controllers: ReadonlySet<string>;
  readonly swapLimit: boolean;
}

/** Read them. What cannot be read is unknown or not there; that is no failure. */
export async function readHostFacts(options: {
  readonly dataRoot: string;
  readonly cgroups: CgroupLayout;
}): Promise<HostFacts> {
  const { mode, mountPoints } = options.cgroups;
  const memoryCgroup = mountPoints.find((path) => path.split("/").at(-1)?.split(",").includes("memory"));
  const [osRelease, machineId, forwarding, controllers, swapFile, filesystem] = await Promise.all([
    readText("/etc/os-release"),
    readText("/etc/machine-id"),
    readText("/proc/sys/net/ipv4/ip_forward"),
    readText(mode === "v2" ? `${mountPoints[0] ?? ""}/cgroup.controllers` : "/proc/cgroups"),
    readText(`${memoryCgroup ?? ""}/memory.memsw.limit_in_bytes`),
    statfs(options.dataRoot).then(
      ({ type }) => filesystems.get(type) ?? `0x${type.toString(16)}`,
      () => "unknown",
    ),
  ]);
  const system = parseOsRelease(osRelease);
  return {
    hostName: hostname(),
    kernelVersion: release(),
    machine: machine(),
    operatingSystem: system.get("PRETTY_NAME") ?? system.get("NAME") ?? "linux",
    osVersion: system.get("VERSION_ID") ?? "",
    memoryBytes: totalmem(),
    engineId: deriveId(`${machineId.trim()} ${hostname()} ${options.dataRoot}`),
    backingFilesystem: filesystem,
    ipForwarding: forwarding.trim() === "1",
    controllers: parseControllers(controllers, mode),
    swapLimit: mode === "v2" || swapFile !== "",
  };
}

/** os-release(5): `NAME="value"` lines. */
export function parseOsRelease(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name, value] = /^([A-Z_0-9]+)=(.*)$/.exec(line.trim()) ?? [];
    if (name === undefined || value === undefined) continue;
    const [, quoted] = /^(?:"(.*)"|'(.*)')$/.exec(value)?.filter((part) => part !== undefined) ?? [];
    found.set(name, (quoted ?? value).replace(/\\(.)/g, "$1"));
  }
  return found;
}

/** v2: names on one line; v1: a table with a last column that says whether a controller is enabled (cgroups(7)). */
function parseControllers(text: string, mode: CgroupLayout["mode"]): ReadonlySet<string> {
  if (mode === "v2") return new Set(text.trim().split(" "));
  const rows = text.split("\n").map((line) => line.split("\t"));
  return new Set(rows.flatMap(([name = "", , , enabled]) => (enabled === "1" ? [name] : [])));
}

function deriveId(text: string): string {
  const hex = createHash("sha256").update(`hawser engine id ${text}`).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    "-",
  );
}

async function readText(path: string): Promise<string> {
  return await readFile(path, "utf8").catch(() => "");
}

/** statfs(2) */
const filesystems: ReadonlyMap<number, string> = new Map([
  [0xef53, "extfs"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
  [0x01021994, "tmpfs"],
  [0x794c7630, "overlayfs"],
  [0x2fc12fc1, "zfs"],
  [0x6969, "nfs"],
]);
