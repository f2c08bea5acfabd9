import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { eventually, openTempDir } from "@hawser/base/testing";
import { removeCgroups } from "./kit-cgroups.ts";
import { dockerCli, formatFlags } from "./kit-cli.ts";
import { findMounts } from "./kit-proc.ts";
import { type RunningProgram, runCommand, startProgram } from "./kit-process.ts";

/** A real dockerd, private to one test, to compare with. */
export interface Dockerd extends AsyncDisposable {
  /** `unix://…`, for DOCKER_HOST. */
  readonly host: string;
  readonly socket: string;
  readonly program: RunningProgram;
}

/**
 * Start Debian's dockerd with roots, cgroup parent and socket of its own; it starts its own containerd. With `isolate` it
 * gets a network and a mount namespace too, so that neither its iptables rules nor its mounts are ever the host's; without,
 * the caller is in such namespaces already. Disposal leaves nothing behind.
 */
export async function openDockerd(options: {
  readonly isolate: boolean;
  /** A folder that does not exist; default: in the engine's own folder. */
  readonly execRoot?: string;
}): Promise<Dockerd> {
  const dir = await openTempDir("hawser-dockerd-");
  const socket = join(dir.path, "docker.sock");
  const host = `unix://${socket}`;
  const cgroupParent = `hawser-dockerd-${process.pid}`;
  const execRoot = options.execRoot ?? join(dir.path, "exec");
  await mkdir(execRoot);
  const flags = formatFlags({
    "data-root": join(dir.path, "data"),
    "exec-root": execRoot,
    pidfile: join(dir.path, "pid"),
    host,
    "cgroup-parent": `/${cgroupParent}`,
    "storage-driver": "overlay2",
    "log-level": "warn",
  });
  const dockerd = ["dockerd", ...flags];
  const program = await startProgram(options.isolate ? isolated(dockerd) : dockerd, {
    log: join(dir.path, "log"),
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
  });
  const close = async () => {
    await removeContainers(host);
    await program.kill("SIGTERM");
    await removeCgroups([cgroupParent]);
    // The host's network namespace, which it mounts for containers that share it.
    for (const path of findMounts(execRoot).toReversed()) await runCommand(["umount", "-l", path]);
    await rm(execRoot, { recursive: true, force: true });
    await dir[Symbol.asyncDispose]();
  };
  try {
    await eventually(
      async () => {
        if (program.hasEnded()) throw new Error(`dockerd ended: ${program.output()}`);
        return (await runCommand([dockerCli(), "-H", host, "version"])).exitCode === 0;
      },
      { deadlineMs: 30_000, what: "dockerd answers" },
    );
  } catch (error) {
    await close();
    throw error;
  }
  return { host, socket, program, [Symbol.asyncDispose]: close };
}

function isolated(argv: readonly string[]): string[] {
  const script = 'ip link set lo up && exec "$@"';
  return ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", script, "sh", ...argv];
}

async function removeContainers(host: string): Promise<void> {
  const { stdout } = await runCommand([dockerCli(), "-H", host, "ps", "-aq", "--no-trunc"]);
  const ids = stdout.split("\n").filter((id) => id !== "");
  if (ids.length > 0)
    await runCommand([dockerCli(), "-H", host, "rm", "-f", "-v", ...ids], { timeoutMs: 300_000 });
}
