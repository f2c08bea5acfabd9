import { randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually, openTempDir } from "@hawser/base/testing";
import { removeCgroups } from "./kit-cgroups.ts";
import { openMachineNetwork } from "./kit-machine-network.ts";
import { copyRegistryAccess } from "./kit-machine-registries.ts";
import { findProcesses } from "./kit-proc.ts";
import {
  type CommandOptions,
  type CommandResult,
  runCommand,
  runCommandOk,
  startProgram,
} from "./kit-process.ts";

/**
 * A machine made of namespaces on a root file system of its own: own mounts, processes, host name, network (reaching out
 * through this host by NAT), cgroup tree. What runs in it can neither see nor change the host's.
 */
export interface Machine extends AsyncDisposable {
  /** Its root folder, seen from the host. */
  readonly folder: string;
  /** Run a program in it, with a bare environment. Its exit code is a result. */
  run(argv: readonly string[], options?: MachineCommandOptions): Promise<CommandResult>;
}

export interface MachineCommandOptions extends Omit<CommandOptions, "cwd" | "env"> {
  /** Working folder inside. Default `/root`. */
  readonly folder?: string;
}

/**
 * Unpack an archive and start a machine on it. How this host reaches package registries (name servers, certificates, apt's
 * and npm's configuration) is copied in, nothing else. Disposal ends every process in it and removes all of it.
 */
export async function openMachine(archive: string): Promise<Machine> {
  await using made = new AsyncDisposableStack();
  const dir = made.use(await openTempDir("hawser-machine-"));
  const suffix = randomBytes(3).toString("hex");
  const folder = join(dir.path, "root");
  await mkdir(folder);
  await runCommandOk(["tar", "-C", folder, "--xattrs", "-xf", archive], { timeoutMs: 120_000 });
  await copyRegistryAccess(folder);
  // A machine that lives for minutes need not have its packages safe from a power failure.
  await writeFile(join(folder, "etc/dpkg/dpkg.cfg.d/unsafe-io"), "force-unsafe-io\n");

  const cgroup = `hawser-machine-${suffix}`;
  await makeCgroups(cgroup);
  made.defer(() => removeCgroups([cgroup]));
  const network = made.use(await openMachineNetwork({ suffix, namespace: join(dir.path, "net") }));

  const enterGroups = [
    `for group in /sys/fs/cgroup/${cgroup} /sys/fs/cgroup/*/${cgroup}; do`,
    '  if [ -d "$group" ]; then echo $$ >"$group/cgroup.procs"; fi',
    "done",
    'exec "$@"',
  ].join("\n");
  const inGroups = ["sh", "-c", enterGroups, "sh"];
  const inNetwork = ["nsenter", `--net=${network.namespace}`];
  const inNamespaces = ["unshare", "-m", "-p", "-u", "-i", "-C", "-f", "--kill-child"];
  const init = join(import.meta.dirname, "kit-machine.sh");
  const log = join(dir.path, "log");
  const program = await startProgram([...inGroups, ...inNetwork, ...inNamespaces, "sh", init, folder], {
    log,
  });
  made.defer(() => program.kill("SIGKILL"));
  const first = await eventually(
    () => {
      if (program.hasEnded()) throw new Error(`the machine ended: ${program.output()}`);
      const [child] = findProcesses(({ parent }) => parent === program.pid);
      if (child === undefined || !existsSync(`/proc/${child.pid}/root/run/up`)) return undefined;
      return String(child.pid);
    },
    { what: "the machine is up" },
  );

  const environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"];
  const resources = made.move();
  return {
    folder,
    run: (argv, options = {}) => {
      const enter = ["nsenter", "--target", first, "-m", "-p", "-u", "-i", "-n", "-C"];
      const inside = [`--wdns=${options.folder ?? "/root"}`, "env", "-i", ...environment, ...argv];
      return runCommand([...inGroups, ...enter, ...inside], options);
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** A group in every hierarchy, able to hold processes. */
async function makeCgroups(name: string): Promise<void> {
  const top = "/sys/fs/cgroup";
  const pure = existsSync(join(top, "cgroup.controllers"));
  const hierarchies = pure ? [top] : readdirSync(top).map((entry) => join(top, entry));
  for (const hierarchy of hierarchies) {
    if (!existsSync(join(hierarchy, "cgroup.procs"))) continue;
    const group = join(hierarchy, name);
    await mkdir(group);
    if (pure) continue;
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      if (existsSync(join(hierarchy, file))) {
        await writeFile(join(group, file), await readFile(join(hierarchy, file)));
      }
    }
  }
}
