import { readFile } from "node:fs/promises";
import { errnoOf, KeyedMutex, type Logger } from "@hawser/base";
import { unmountFileSystem } from "@hawser/linux";
import { parseMountInfo } from "@hawser/runtime";
import { mountLocal } from "./local-mount.ts";
import type { VolumeRecord } from "./volume-record.ts";

/**
 * What is mounted at volumes' places: by the first that uses a volume, until the last. Nothing of it is on disk. An engine
 * that starts adopts those that still run, and `sweep` takes away what nobody uses.
 */
export class VolumeMounts {
  readonly #placeOf: (record: VolumeRecord) => string;
  readonly #log: Logger;
  readonly #users = new Map<string, Set<string>>();
  readonly #locks = new KeyedMutex();

  constructor(parts: { readonly placeOf: (record: VolumeRecord) => string; readonly log: Logger }) {
    this.#placeOf = parts.placeOf;
    this.#log = parts.log;
  }

  /**
   * Returns when the volume is mounted, and stays so until `release`.
   *
   * @throws {Fault} `internal`, Docker's words; the volume is not used then.
   */
  async acquire(record: VolumeRecord, user: string): Promise<void> {
    await this.#locks.run(record.name, async () => {
      const users = this.#users.get(record.name);
      if (users !== undefined) {
        users.add(user);
        return;
      }
      await mountLocal(record, this.#placeOf(record));
      this.#users.set(record.name, new Set([user]));
    });
  }

  /** A user of before: what it uses is mounted. */
  adopt({ name }: VolumeRecord, user: string): void {
    this.#users.set(name, (this.#users.get(name) ?? new Set()).add(user));
  }

  /** Undo `acquire`; of one that did not use it nothing. What comes after it finds the volume unmounted, if it is free. */
  async release(record: VolumeRecord, user: string): Promise<void> {
    await this.#locks.run(record.name, async () => {
      const users = this.#users.get(record.name);
      if (users?.delete(user) !== true || users.size > 0) return;
      // One that cannot be unmounted stays as one that is used: its folder is not ours to remove.
      if (await this.#unmount(this.#placeOf(record))) this.#users.delete(record.name);
    });
  }

  /** Do `work` once all that was begun before is done. `isFree`: nothing is mounted, and nobody uses the volume. */
  async whenSettled(name: string, work: (isFree: boolean) => void): Promise<void> {
    await this.#locks.run(name, async () => work(!this.#users.has(name)));
  }

  /**
   * Unmount whatever is mounted in the folders of `root`, but for those that are used, and those that are to stay.
   *
   * @returns the folders in which something could not be unmounted
   */
  async sweep(root: string, isKept: (name: string) => boolean): Promise<ReadonlySet<string>> {
    const stuck = new Set<string>();
    const mounts = parseMountInfo(await readFile("/proc/self/mountinfo", "utf8"));
    for (const { mountPoint } of mounts.toReversed()) {
      if (!mountPoint.startsWith(`${root}/`)) continue;
      const [volume = ""] = mountPoint.slice(root.length + 1).split("/");
      if (this.#users.has(volume) || isKept(volume)) continue;
      this.#log.info("unmounting what an engine before has left", { volume });
      if (!(await this.#unmount(mountPoint))) stuck.add(volume);
    }
    return stuck;
  }

  /** Whether nothing is mounted there any more. */
  async #unmount(place: string): Promise<boolean> {
    try {
      await unmountFileSystem(place);
      return true;
    } catch (error) {
      if (errnoOf(error) === "EINVAL" || errnoOf(error) === "ENOENT") return true; // somebody else has
      this.#log.error("cannot unmount a volume", { place, error });
      return false;
    }
  }
}
