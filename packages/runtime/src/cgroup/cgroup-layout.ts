import { posix } from "node:path";
import { parseMountInfo } from "../mount-info.ts";

/**
 * How containers are put into cgroups on this host. `v1`: controllers in hierarchies of their own; a unified hierarchy
 * beside them (a hybrid host) is of no use then and left alone. `v2`: everything in the unified hierarchy.
 */
export type CgroupMode = "v1" | "v2";

export interface CgroupLayout {
  readonly mode: CgroupMode;
  /** Where the hierarchies that containers get a cgroup in are mounted: one on v2, one a controller on v1. */
  readonly mountPoints: readonly string[];
}

/**
 * The layout of the host whose `/proc/self/mountinfo` (proc(5)) this is. v1 as soon as a controller that containers are
 * limited with is mounted as v1, since it is then not to be had in v2.
 */
export function parseCgroupLayout(mountInfo: string): CgroupLayout {
  const hierarchies = parseHierarchies(mountInfo);
  const limited = new Set(["memory", "cpu", "pids"]);
  const onV1 = hierarchies.some(
    ({ version, controllers }) => version === 1 && controllers.some((name) => limited.has(name)),
  );
  const mountPoints = new Map<string, string>();
  for (const { version, mountPoint, controllers } of hierarchies) {
    const key = controllers.join();
    if (version === (onV1 ? 1 : 2) && !mountPoints.has(key)) mountPoints.set(key, mountPoint);
  }
  return { mode: onV1 ? "v1" : "v2", mountPoints: [...mountPoints.values()] };
}

/**
 * A container's cgroups below `parent`, an absolute path inside the hierarchies (`/hawser`): `path` is what
 * `linux.cgroupsPath` says, `folders` are where they appear, on this host, while the container runs.
 */
export function cgroupsOf(
  layout: CgroupLayout,
  container: { readonly parent: string; readonly id: string },
): { readonly path: string; readonly folders: readonly string[] } {
  const path = posix.join("/", container.parent, container.id);
  return { path, folders: layout.mountPoints.map((mountPoint) => posix.join(mountPoint, path)) };
}

interface Hierarchy {
  readonly mountPoint: string;
  readonly version: 1 | 2;
  /** Empty for v2. */
  readonly controllers: readonly string[];
}

function parseHierarchies(mountInfo: string): readonly Hierarchy[] {
  return parseMountInfo(mountInfo).flatMap(({ mountPoint, type, superOptions }): Hierarchy[] => {
    if (type === "cgroup2") return [{ mountPoint, version: 2, controllers: [] }];
    if (type !== "cgroup") return [];
    const controllers = superOptions.split(",").filter((name) => !mountOptions.has(name));
    return [{ mountPoint, version: 1, controllers }];
  });
}

/** Words among a v1 hierarchy's options that are no controllers. */
const mountOptions: ReadonlySet<string> = new Set([
  "rw",
  "ro",
  "xattr",
  "clone_children",
  "noprefix",
  "cpuset_v2_mode",
  "favordynmods",
  "nofavordynmods",
]);
