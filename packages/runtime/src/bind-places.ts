import { readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import { findMountOf, parseMountInfo } from "./mount-info.ts";
import type { ResolvedMount } from "./spec/spec-input.ts";

export interface PlacedBinds<Mount extends ResolvedMount> {
  /** The mounts, with sources as the OCI runtime finds them. */
  readonly mounts: readonly Mount[];
  /** `StartRequest.binds`: the host's paths, for the monitor to bring. */
  readonly binds: readonly HostBind[];
}

/** What a monitor brings: the host's path, and what `ResolvedMount` says of it. */
export interface HostBind extends Pick<ResolvedMount, "subpath" | "layers" | "owners"> {
  readonly path: string;
  /** `alone`: without mounts below; `read-only`: with those below. */
  readonly options: readonly ("alone" | "read-only")[];
}

/**
 * Have the monitor bring the mounts' sources from the host into the run directory `dir`, so that a container gets what the
 * host has there now and shares with the host what it asks to share. Where the host shares nothing, `shared` can only mean
 * other containers: such a source stays in the launcher's namespace, in which containers are each other's peers.
 */
export async function placeBinds<Mount extends ResolvedMount>(
  mounts: readonly Mount[],
  dir: string,
): Promise<PlacedBinds<Mount>> {
  const binds: HostBind[] = [];
  const placed: Mount[] = [];
  for (const mount of mounts) {
    const { source: path, subpath, layers, owners } = mount;
    const isShared = owners === undefined && mount.propagation.endsWith("shared");
    if (isShared && !(await isSharedByHost(path))) {
      placed.push(mount);
      continue;
    }
    const bind: HostBind = {
      path,
      options: [
        ...(mount.recursive ? [] : ["alone" as const]),
        ...(mount.readOnly && mount.writableBelow !== true ? ["read-only" as const] : []),
      ],
      ...(subpath && { subpath }),
      ...(layers && { layers }),
      ...(owners && { owners }),
    };
    placed.push({ ...mount, source: join(dir, "binds", String(binds.push(bind) - 1)) });
  }
  return { mounts: placed, binds };
}

async function isSharedByHost(path: string): Promise<boolean> {
  const [place, text] = await Promise.all([realpath(path), readFile("/proc/self/mountinfo", "utf8")]);
  return findMountOf(place, parseMountInfo(text))?.shared === true;
}
