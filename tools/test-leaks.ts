import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as delay } from "node:timers/promises";

/**
 * What a test run must leave as it found it: processes, mounts, interfaces, network namespaces, nft tables, cgroups,
 * folders. Each thing is one line of text, so that what is new is a set difference.
 */
export type Snapshot = ReadonlySet<string>;

/**
 * `machine`: everything that looks like a container engine's, whoever made it. `run`: only processes that carry the mark of
 * this run, and temporary folders (for a machine on which others work at the same time). `off`: nothing.
 */
export type LeakScope = "machine" | "run" | "off";

export interface SnapshotOptions {
  readonly scope: LeakScope;
  /** Value of HAWSER_TEST_RUN in the environment of the run's processes. */
  readonly runId: string;
}

/** Take stock of the machine. Needs root to see all of it; without, it sees what it may. */
export function takeSnapshot(options: SnapshotOptions): Snapshot {
  if (options.scope === "off") return new Set();
  const own = [...processes(options.runId, options.scope === "machine")];
  if (options.scope === "run") return new Set(own);
  return new Set([
    ...own,
    ...mounts(),
    ...names("/sys/class/net", "interface"),
    ...names("/run/netns", "network namespace"),
    ...nftTables(),
    ...cgroups("/sys/fs/cgroup", 0),
    ...hiddenCgroups(),
    ...names(tmpdir(), "temporary folder").filter((line) => line.includes("hawser")),
    ...names("/run", "folder /run").filter((line) => line.includes("hawser")),
    ...names("/var/lib", "folder /var/lib").filter((line) => line.includes("hawser")),
  ]);
}

/** What is there now and was not before; waits until `deadlineMs` for it to go away. */
export async function changesOf(
  before: Snapshot,
  options: SnapshotOptions & { readonly deadlineMs: number },
): Promise<string[]> {
  const end = performance.now() + options.deadlineMs;
  for (;;) {
    const added = [...takeSnapshot(options)].filter((line) => !before.has(line));
    if (added.length === 0 || performance.now() > end) return added;
    await delay(100);
  }
}

const programs =
  /^(\S*\/)?(hawser[\w-]*|crun|runc|conmon|dockerd|containerd[\w-]*|docker-proxy|docker-init|podman)( |$)/;

function* processes(runId: string, byName: boolean): Generator<string> {
  for (const pid of list("/proc")) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const command = read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
    if (command === "") continue; // a kernel thread, or a zombie that somebody else reaps
    const ours = read(`/proc/${pid}/environ`).split("\0").includes(`HAWSER_TEST_RUN=${runId}`);
    if (ours || (byName && programs.test(command))) yield `process ${pid}: ${command.slice(0, 200)}`;
  }
}

function* mounts(): Generator<string> {
  for (const line of read("/proc/self/mountinfo").split("\n")) {
    const [fields = "", kind = ""] = line.split(" - ");
    const [, , , mountRoot, target] = fields.split(" ");
    if (target !== undefined) yield `mount ${target} (${kind.split(" ")[0]}, ${mountRoot})`;
  }
}

function* nftTables(): Generator<string> {
  const { status, stdout } = spawnSync("nft", ["list", "tables"], { encoding: "utf8" });
  if (status !== 0) return;
  for (const line of stdout.split("\n")) if (line !== "") yield `nft ${line}`;
}

function* cgroups(folder: string, depth: number): Generator<string> {
  for (const entry of entries(folder)) {
    if (!entry.isDirectory()) continue;
    const path = `${folder}/${entry.name}`;
    if (/hawser|docker|libpod|crun/.test(entry.name)) yield `cgroup ${path}`;
    else if (depth < 6) yield* cgroups(path, depth + 1);
  }
}

/** Folders under a mount on the tmpfs that holds the v1 hierarchies: what a runtime makes while the mount is away. */
function* hiddenCgroups(): Generator<string> {
  const script = "mount --bind /sys/fs/cgroup /mnt && find /mnt -xdev -mindepth 2";
  const { status, stdout } = spawnSync("unshare", ["--mount", "sh", "-c", script], { encoding: "utf8" });
  if (status !== 0 || existsSync("/sys/fs/cgroup/cgroup.controllers")) return;
  for (const path of stdout.split("\n"))
    if (path !== "") yield `hidden cgroup folder ${path.slice("/mnt".length)}`;
}

function names(folder: string, what: string): string[] {
  return list(folder).map((name) => `${what} ${name}`);
}

// What vanishes while it is looked at, or may not be looked at, is not there.
function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function entries(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
