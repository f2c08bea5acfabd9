import { readFile, writeFile } from "node:fs/promises";
import { posix } from "node:path";
import { errnoOf } from "@hawser/base";
import { type CgroupLayout, type CgroupMode, cgroupsOf } from "./cgroup-layout.ts";

/** The controllers whose files Hawser reads or writes itself. On v2 all of them are files of one folder. */
export type CgroupController = "blkio" | "cpu" | "cpuacct" | "cpuset" | "freezer" | "memory" | "pids";

/**
 * The files of one container's cgroups. They exist while it runs; nothing of them is kept open, so an object of this class
 * costs nothing and may be made whenever it is needed.
 */
export class ContainerCgroup {
  readonly mode: CgroupMode;
  /** One folder on v2, one a hierarchy on v1. */
  readonly folders: readonly string[];

  /** @param container.parent absolute path inside the hierarchies, as for `cgroupsOf` */
  constructor(layout: CgroupLayout, container: { readonly parent: string; readonly id: string }) {
    this.mode = layout.mode;
    this.folders = cgroupsOf(layout, container).folders;
    this.#mountPoints = layout.mountPoints;
  }

  readonly #mountPoints: readonly string[];

  /** Where a file is; `undefined` when this host has no such controller. */
  path(controller: CgroupController, file: string): string | undefined {
    const index = this.mode === "v2" ? 0 : this.#mountPoints.findIndex(mounts(controller));
    const folder = this.folders[index];
    return folder === undefined ? undefined : posix.join(folder, file);
  }

  /** The text of a file; `undefined` when this host, or a container that does not run, has no such file. */
  async read(controller: CgroupController, file: string): Promise<string | undefined> {
    const path = this.path(controller, file);
    if (path === undefined) return undefined;
    try {
      return await readFile(path, "utf8");
    } catch (error) {
      // ENODEV: the cgroup goes away under the reader; EOPNOTSUPP: a file that is there for a device that is not.
      if (["ENOENT", "ENODEV", "EOPNOTSUPP", "ENOTSUP"].includes(errnoOf(error) ?? "")) return undefined;
      throw error;
    }
  }

  /**
   * Write a file; without such a controller nothing happens.
   *
   * @returns false when there is no such file
   * @throws the kernel's refusal, as Node tells it
   */
  async write(controller: CgroupController, file: string, text: string): Promise<boolean> {
    const path = this.path(controller, file);
    if (path === undefined) return false;
    try {
      await writeFile(path, text, { flag: "r+" });
      return true;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return false;
      throw error;
    }
  }
}

/** v1 names a hierarchy's mount point after its controllers: `cpu,cpuacct`. */
function mounts(controller: CgroupController): (mountPoint: string) => boolean {
  return (mountPoint) => posix.basename(mountPoint).split(",").includes(controller);
}
