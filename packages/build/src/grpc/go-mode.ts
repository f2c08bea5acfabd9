import type { TarEntryType } from "@hawser/base";

/** Go's `os.FileMode`, which is what travels. */
const goMode = {
  directory: 1 << 31,
  symlink: 1 << 27,
  device: 1 << 26,
  fifo: 1 << 25,
  socket: 1 << 24,
  setuid: 1 << 23,
  setgid: 1 << 22,
  characterDevice: 1 << 21,
  sticky: 1 << 20,
} as const;

/** `undefined`: a socket. */
export function typeOfGoMode(mode: number): TarEntryType | undefined {
  if ((mode & goMode.directory) !== 0) return "directory";
  if ((mode & goMode.symlink) !== 0) return "symlink";
  if ((mode & goMode.device) !== 0) {
    return (mode & goMode.characterDevice) !== 0 ? "character-device" : "block-device";
  }
  if ((mode & goMode.fifo) !== 0) return "fifo";
  if ((mode & goMode.socket) !== 0) return undefined;
  return "file";
}

/** The kernel's permission bits. */
export function permissionsOfGoMode(mode: number): number {
  return (
    (mode & 0o777) |
    ((mode & goMode.setuid) !== 0 ? 0o4000 : 0) |
    ((mode & goMode.setgid) !== 0 ? 0o2000 : 0) |
    ((mode & goMode.sticky) !== 0 ? 0o1000 : 0)
  );
}

/** A kind and permission bits as they travel. */
export function goModeOf(type: TarEntryType, permissions: number): number {
  const kinds: Readonly<Record<TarEntryType, number>> = {
    file: 0,
    hardlink: 0,
    directory: goMode.directory,
    symlink: goMode.symlink,
    fifo: goMode.fifo,
    "block-device": goMode.device,
    "character-device": goMode.device | goMode.characterDevice,
  };
  const special =
    ((permissions & 0o4000) !== 0 ? goMode.setuid : 0) |
    ((permissions & 0o2000) !== 0 ? goMode.setgid : 0) |
    ((permissions & 0o1000) !== 0 ? goMode.sticky : 0);
  return (kinds[type] | special | (permissions & 0o777)) >>> 0;
}
