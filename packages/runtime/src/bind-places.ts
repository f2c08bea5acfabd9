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
export interface HostBind extends Pick<ResolvedMount, "subpath" | "layers" | "writable" | "owners"> {
  readonly path: string;
  /** `alone`: without mounts below; `read-only`: with those below. */
  readonly options: readonly ("alone" | "read-only")[];
}

/** Options of the host's mount that a container's mount of it has as well. */
const kept: ReadonlySet<string> = new Set(["ro", "nosuid", "nodev", "noexec"]);

/**
 * Have the monitor bring the mounts' sources from the host into the run directory `dir`, so that a container gets what the
 * host has there now and shares with the host what it asks to share. Where the host shares nothing, `shared` can only mean
 * other containers: such a source stays in the launcher's namespace, in which containers are each other's peers.
 */
export async function placeBinds<Mount extends ResolvedMount>(
  mounts: readonly Mount[],
  dir: string,
): Promise<PlacedBinds<Mount>> {
  if (mounts.length === 0) return { mounts, binds: [] };
  const [mountInfo, ...places] = await Promise.all([
    readFile("/proc/self/mountinfo", "utf8"),
    ...mounts.map(({ source }) => realpath(source)),
  ]);
  const all = parseMountInfo(mountInfo);
  const binds: HostBind[] = [];
  const placed: Mount[] = [];
  for (const [index, mount] of mounts.entries()) {
    const { source: path, subpath, layers, writable, owners } = mount;
    const host = layers === undefined ? findMountOf(places[index] ?? path, all) : undefined;
    // An OCI runtime takes away what it is not told, but the host does not want set-uid programs there any more than before.
    const inherited = host?.options.filter((option) => kept.has(option)) ?? [];
    const isShared = owners === undefined && mount.propagation.endsWith("shared");
    if (isShared && host?.shared !== true) {
      placed.push({ ...mount, inherited });
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
      ...(writable && { writable }),
      ...(owners && { owners }),
    };
    placed.push({ ...mount, inherited, source: join(dir, "binds", String(binds.push(bind) - 1)) });
  }
  return { mounts: placed, binds };
}
