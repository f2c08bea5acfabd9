import { open } from "node:fs/promises";
import { errnoOf } from "@hawser/base";
import { userMapOf } from "@hawser/runtime";
import type { FilesRoot } from "@hawser/store";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { containerFaults } from "./faults.ts";
import { mountsOf, withFolders, withLayers } from "./plan-mounts.ts";

export interface FilesScope {
  /** With what the container mounts, but for its /proc and /sys; or its root file system alone. */
  readonly with: "mounts" | "root-only";
}

/**
 * Do `work` on a container's files as it sees them. One that runs is looked at through its mount namespace; one that does not
 * is put together from its layers, and does not start before `work` is done.
 *
 * @throws {Fault} `conflict` when it is being removed
 */
export async function withFiles<T>(
  collaborators: Collaborators,
  target: { readonly container: Container; readonly scope: FilesScope },
  work: (root: FilesRoot) => Promise<T>,
): Promise<T> {
  const { container, scope } = target;
  const { state, hostConfig } = container.record;
  const userMap = userMapOf(hostConfig, collaborators.host.facts);
  if (userMap !== undefined && scope.with === "root-only") {
    // The kernel copies no mount of other users' without what is mounted in it.
    const { upper, lower } = collaborators.snapshots.get(container.id);
    return await work({ kind: "layers", lower: [upper, ...lower] });
  }
  if (container.monitor !== undefined) {
    const namespace = await openNamespace(state.pid);
    // While it has its monitor its process is not reaped, so the number was still its own.
    if (namespace !== undefined && container.monitor !== undefined) {
      await using handle = namespace;
      return await work({
        kind: "namespace",
        fd: handle.fd,
        rootOnly: scope.with === "root-only",
        ...(userMap && { userMap }),
      });
    }
    await namespace?.close();
  }
  return await collaborators.locks
    .run(container.id, async () => {
      if (container.record.state.status === "removing")
        throw containerFaults.CONTAINER_BEING_REMOVED(container.id);
      if (container.monitor !== undefined) return undefined;
      await container.tornDown;
      const { record } = container;
      const mounts = scope.with === "mounts" ? mountsOf(record) : [];
      const binds = mounts.map((mount) => withLayers(mount, collaborators.snapshots));
      const volumes = binds.flatMap(({ volume }) => volume?.name ?? []);
      const user = `files-${record.id}`;
      const folders = await collaborators.volumes.mount(volumes, user);
      try {
        const result = await work({
          kind: "layers",
          ...collaborators.snapshots.get(container.id),
          readOnly: record.hostConfig.readonlyRootfs,
          binds: withFolders(binds, folders),
        });
        return { result };
      } finally {
        await collaborators.volumes.unmount(volumes, user);
      }
    })
    .then(async (done) => (done === undefined ? await withFiles(collaborators, target, work) : done.result));
}

async function openNamespace(pid: number) {
  try {
    return await open(`/proc/${pid}/ns/mnt`);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ESRCH") return undefined;
    throw error;
  }
}

/**
 * What the engine and the OCI runtime put into every root file system, below its own files: no change of the container's while
 * it is empty.
 */
export const enginesOwnFiles: readonly string[] = [
  "dev",
  "dev/console",
  "dev/mqueue",
  "dev/pts",
  "dev/shm",
  "etc",
  "etc/hostname",
  "etc/hosts",
  "etc/resolv.conf",
  "proc",
  "sbin/docker-init",
  "sys",
];
