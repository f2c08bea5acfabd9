import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "@hawser/base";
import type { HostConfig } from "./container-config.ts";
import { runtimeFaults } from "./faults.ts";
import type { HostDevice, MappedDevice, ResolvedDevices } from "./spec/spec-input.ts";

/** Folders of /dev that hold no devices of the host's own. */
const skippedFolders: ReadonlySet<string> = new Set([
  "pts",
  "shm",
  "fd",
  "mqueue",
  ".lxc",
  ".lxd-mounts",
  ".udev",
]);

/**
 * Look up the devices that a configuration names: mappings (a folder stands for all devices in it, a link for its target),
 * the whole of /dev for a privileged container, and the numbers of those with limits.
 *
 * @throws {Fault} `invalid-argument` for a path without a device.
 */
export async function resolveDevices(hostConfig: HostConfig): Promise<ResolvedDevices> {
  const limited = [
    ...hostConfig.blkioWeightDevice,
    ...hostConfig.blkioDeviceReadBps,
    ...hostConfig.blkioDeviceWriteBps,
    ...hostConfig.blkioDeviceReadIops,
    ...hostConfig.blkioDeviceWriteIops,
  ];
  const numbers = new Map<string, HostDevice>();
  for (const { path } of limited) {
    const device = await findDevice(path);
    if (device === undefined) throw runtimeFaults.RESOURCE_INVALID(`no such device: "${path}"`);
    numbers.set(path, device);
  }
  if (hostConfig.privileged) return { mapped: await listDevices("/dev", "/dev", "rwm"), numbers };
  const mapped: MappedDevice[] = [];
  for (const { pathOnHost, pathInContainer, cgroupPermissions } of hostConfig.devices) {
    const found = await mapDevices(pathOnHost, pathInContainer || pathOnHost, cgroupPermissions || "rwm");
    mapped.push(...found);
  }
  return { mapped, numbers };
}

async function mapDevices(pathOnHost: string, path: string, access: string): Promise<MappedDevice[]> {
  if (!/^(?!.*(.).*\1)[rwm]{1,3}$/.test(access)) {
    throw runtimeFaults.RESOURCE_INVALID(`invalid device mode: ${access}`);
  }
  const target = await resolveLink(pathOnHost);
  const device = target === undefined ? undefined : await findDevice(target);
  if (device !== undefined) return [{ ...device, path, access }];
  const inside = target === undefined ? [] : await listDevices(target, path, access);
  if (inside.length > 0) return inside;
  const reason = target === undefined ? "no such file or directory" : "not a device node";
  throw runtimeFaults.RESOURCE_INVALID(
    `error gathering device information while adding custom device "${pathOnHost}": ${reason}`,
  );
}

async function listDevices(folder: string, path: string, access: string): Promise<MappedDevice[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (errnoOf(error) === "ENOTDIR" || errnoOf(error) === "ENOENT") return [];
    throw error;
  });
  const found = await Promise.all(
    entries.map(async (entry): Promise<MappedDevice[]> => {
      const onHost = join(folder, entry.name);
      const inContainer = join(path, entry.name);
      if (entry.isDirectory()) {
        return skippedFolders.has(entry.name) ? [] : await listDevices(onHost, inContainer, access);
      }
      if (inContainer === "/dev/console" || !(entry.isCharacterDevice() || entry.isBlockDevice())) return [];
      const device = await findDevice(onHost);
      return device === undefined ? [] : [{ ...device, path: inContainer, access }];
    }),
  );
  return found.flat();
}

async function findDevice(path: string): Promise<HostDevice | undefined> {
  try {
    const found = await stat(path);
    const type = found.isBlockDevice() ? "b" : found.isCharacterDevice() ? "c" : undefined;
    if (type === undefined) return undefined;
    const { uid, gid, mode, rdev } = found;
    return { path, type, ...splitDeviceNumber(rdev), fileMode: mode & 0o7777, uid, gid };
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

async function resolveLink(path: string): Promise<string | undefined> {
  try {
    return (await lstat(path)).isSymbolicLink() ? await realpath(path) : path;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

/** Linux' dev_t, makedev(3): major in bits 8-19 and 32-43, minor in bits 0-7 and 20-31. */
function splitDeviceNumber(rdev: number): { readonly major: number; readonly minor: number } {
  const high = Math.floor(rdev / 2 ** 32);
  const low = rdev % 2 ** 32;
  return {
    major: ((low >>> 8) & 0xfff) | (high & 0xfffff000),
    minor: (low & 0xff) | ((low >>> 12) & 0xfff00),
  };
}
