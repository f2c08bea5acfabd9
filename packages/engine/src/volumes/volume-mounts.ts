import { readFile } from "node:fs/promises";
import { errnoOf, Fault, KeyedMutex, type Logger } from "@hawser/base";
import { unmountFileSystem } from "@hawser/linux";
import { parseMountInfo } from "@hawser/runtime";
import type { ReachEngineStep } from "../steps.ts";
import { volumeFaults } from "./faults.ts";
import { mountLocal } from "./local-mount.ts";
import type { VolumePlugins } from "./volume-plugins.ts";
import type { VolumeRecord } from "./volume-record.ts";

/**
 * What is mounted at volumes' places: by the first that uses a volume, until the last. Nothing of it is on disk. An engine
 * that starts adopts those that still run, and `sweep` takes away what nobody uses.
 */
export class VolumeMounts {
  readonly #placeOf: (record: VolumeRecord) => string;
  readonly #log: Logger;
  readonly #plugins: VolumePlugins;
  readonly #reach: ReachEngineStep;
  readonly #users = new Map<string, Set<string>>();
  readonly #locks = new KeyedMutex();

  constructor(parts: {
    readonly placeOf: (record: VolumeRecord) => string;
    readonly plugins: VolumePlugins;
    readonly reach: ReachEngineStep;
    readonly log: Logger;
  }) {
    this.#placeOf = parts.placeOf;
    this.#plugins = parts.plugins;
    this.#reach = parts.reach;
    this.#log = parts.log;
  }

  /**
   * Mount a volume, or find it mounted; it stays so until `release`.
   *
   * @returns its folder
   * @throws {Fault} `internal`, Docker's words; the volume is not used then.
   */
  async acquire(record: VolumeRecord, user: string): Promise<string> {
    return await this.#locks.run(record.name, async () => {
      const users = this.#users.get(record.name) ?? new Set();
      const folder = await this.#mount(record, { user, isFirst: !this.#users.has(record.name) });
      this.#reach("volume.mounted");
      this.#users.set(record.name, users.add(user));
      return folder;
    });
  }

  async #mount(
    record: VolumeRecord,
    { user, isFirst }: { readonly user: string; readonly isFirst: boolean },
  ): Promise<string> {
    const { name, driver } = record;
    const place = this.#placeOf(record);
    if (driver === undefined) {
      if (isFirst) await mountLocal(record, place);
      return place;
    }
    try {
      return await (await this.#plugins.get(driver)).mount(name, user); // which counts by itself
    } catch (error) {
      throw volumeFaults.VOLUME_MOUNT_FAILED(name, Fault.from(error).message).because(error);
    }
  }

  /** A user of before: what it uses is mounted. */
  adopt({ name }: VolumeRecord, user: string): void {
    this.#users.set(name, (this.#users.get(name) ?? new Set()).add(user));
  }

  /** Undo `acquire`; of one that did not use it nothing. What comes after it finds the volume unmounted, if it is free. */
  async release(record: VolumeRecord, user: string): Promise<void> {
    await this.#locks.run(record.name, async () => {
      const users = this.#users.get(record.name);
      if (users?.delete(user) !== true) return;
      if (record.driver !== undefined) {
        await this.#unmountPlugged(record.driver, record.name, user);
        if (users.size === 0) this.#users.delete(record.name);
        return;
      }
      // One that cannot be unmounted stays as one that is used: its folder is not ours to remove.
      if (users.size > 0 || !(await this.#unmount(this.#placeOf(record)))) return;
      this.#reach("volume.unmounted");
      this.#users.delete(record.name);
    });
  }

  /** Do `work` once all that was begun before is done. `isFree`: nothing is mounted, and nobody uses the volume. */
  async whenSettled(name: string, work: (isFree: boolean) => Promise<void>): Promise<void> {
    await this.#locks.run(name, () => work(!this.#users.has(name)));
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

  async #unmountPlugged(driver: string, name: string, user: string): Promise<void> {
    try {
      await (await this.#plugins.get(driver)).unmount(name, user);
    } catch (error) {
      this.#log.error("cannot unmount a volume of a plugin", { volume: name, driver, error });
    }
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
