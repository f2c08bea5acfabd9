import { mkdir, stat } from "node:fs/promises";
import { errnoOf } from "@hawser/base";
import { type HostConfig, parseBind, type ResolvedMount } from "@hawser/runtime";
import { containerFaults } from "./faults.ts";

/**
 * The host folders and files that a container sees, from `binds` and `mounts`. Docker's difference between the two: a
 * missing source of `binds` is made, as a folder, when the container starts; a missing source of `mounts` is an error.
 *
 * @throws {Fault} `invalid-argument` for bad syntax and missing sources, `not-implemented` for named volumes.
 */
export async function resolveMounts(
  hostConfig: HostConfig,
  options: { readonly createMissing: boolean },
): Promise<ResolvedMount[]> {
  const resolved: ResolvedMount[] = [];
  for (const text of hostConfig.binds) {
    const mount = parseBind(text);
    if (!mount.source.startsWith("/")) throw containerFaults.VOLUME_UNSUPPORTED(mount.source);
    if (options.createMissing) await mkdirIfMissing(mount.source);
    resolved.push(mount);
  }
  for (const mount of hostConfig.mounts) {
    if (mount.type === "tmpfs") continue;
    if (mount.type !== "bind") throw containerFaults.VOLUME_UNSUPPORTED(mount.source || mount.target);
    if (!(await exists(mount.source))) {
      if (mount.bind?.createMountpoint !== true) throw containerFaults.BIND_SOURCE_MISSING(mount.source);
      if (options.createMissing) await mkdirIfMissing(mount.source);
    }
    resolved.push({
      source: mount.source,
      target: mount.target,
      readOnly: mount.readOnly,
      recursive: mount.bind?.nonRecursive !== true,
      propagation: mount.bind?.propagation || "rprivate",
    });
  }
  return resolved;
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

async function mkdirIfMissing(path: string): Promise<void> {
  if (!(await exists(path))) await mkdir(path, { recursive: true, mode: 0o755 });
}
