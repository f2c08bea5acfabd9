import { native } from "./native.ts";

/** Flags of mount(2). */
export const mountFlags = {
  readOnly: 0x1,
  noSuid: 0x2,
  noDev: 0x4,
  noExec: 0x8,
  synchronous: 0x10,
  remount: 0x20,
  mandatoryLocks: 0x40,
  dirSync: 0x80,
  noAtime: 0x400,
  noDirAtime: 0x800,
  bind: 0x1000,
  recursive: 0x4000,
  unbindable: 0x20000,
  private: 0x40000,
  slave: 0x80000,
  shared: 0x100000,
  relatime: 0x200000,
  strictAtime: 0x1000000,
} as const;

/**
 * mount(2), in the mount namespace of this process; on a thread of its own, since a server may be slow.
 *
 * @throws {Error} with `code` and `errno`, as node:fs does
 */
export async function mountFileSystem(request: {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly flags: number;
  readonly data: string;
}): Promise<void> {
  const { source, target, type, flags, data } = request;
  await native().mountFileSystem(source, target, type, flags, data);
}

/**
 * Bound what the files in an empty folder, and all below it, may take on the disk: they become a project of that number, which
 * must be nobody else's on this file system (xfs and ext4, mounted with `prjquota`). 0 bytes: no bound any more.
 *
 * @throws {Error} with `code`: this file system, or this kernel, cannot do that.
 */
export function setProjectQuota(
  folder: string,
  { project, sizeBytes }: { readonly project: number; readonly sizeBytes: number },
): void {
  native().setProjectQuota(folder, project, sizeBytes);
}

/**
 * Take the topmost mount away from `target`, which is no link. Who uses it goes on to do so.
 *
 * @throws {Error} `EINVAL`: nothing is mounted there.
 */
export async function unmountFileSystem(target: string): Promise<void> {
  const [detach, noFollow] = [2, 8];
  await native().unmountFileSystem(target, detach | noFollow);
}

/**
 * Have all of the file system that `folder` is on written to its disk: syncfs(2), on a thread of its own.
 *
 * @throws {Error} with `code`: the folder is not there, or something could not be written.
 */
export async function syncFileSystem(folder: string): Promise<void> {
  await native().syncFileSystem(folder);
}
