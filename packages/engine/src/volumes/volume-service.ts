import { randomUUID } from "node:crypto";
import { Holds, KeyedMutex, type Logger } from "@hawser/base";
import { measureFiles } from "@hawser/store";
import type { EventBus } from "../events/event-bus.ts";
import type { VolumeTable } from "../state/volume-table.ts";
import type { ReachEngineStep } from "../steps.ts";
import { isVolumeName } from "./check-volume-request.ts";
import { copyUp } from "./copy-up.ts";
import { volumeFaults } from "./faults.ts";
import { needsMount } from "./local-mount.ts";
import { planVolume, type VolumeRequest } from "./plan-volume.ts";
import { VolumeFolders } from "./volume-folders.ts";
import { VolumeMounts } from "./volume-mounts.ts";
import type { VolumePlugins } from "./volume-plugins.ts";
import { localDriver, type VolumeRecord } from "./volume-record.ts";

export interface HeldVolume extends Disposable {
  readonly record: VolumeRecord;
}

export interface VolumeServiceParts {
  readonly table: VolumeTable;
  /** Folder of the volumes' folders. */
  readonly root: string;
  readonly events: EventBus;
  readonly plugins: VolumePlugins;
  /** Ids of the containers that mount it. */
  readonly usedBy: (name: string) => readonly string[];
  readonly now: () => number;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly reach: ReachEngineStep;
  readonly log: Logger;
}

/**
 * Volumes. One of the local driver is a row and a folder; the folder is made before the row and goes before it, so that a row
 * always has its data.
 */
export class VolumeService {
  readonly #parts: VolumeServiceParts;
  readonly #records = new Map<string, VolumeRecord>();
  /** Volumes of containers that are being made. */
  readonly #holds = new Holds<string>();
  readonly #locks = new KeyedMutex();
  readonly #folders: VolumeFolders;
  readonly #mounts: VolumeMounts;

  private constructor(parts: VolumeServiceParts) {
    this.#parts = parts;
    this.#folders = new VolumeFolders(parts.root, parts.log);
    this.#mounts = new VolumeMounts({
      placeOf: (record) => this.mountpointOf(record),
      plugins: parts.plugins,
      reach: parts.reach,
      log: parts.log,
    });
  }

  /**
   * Open the volumes as a crash may have left them. A folder that no row knows becomes a volume again when there is data in
   * it: it is somebody's.
   *
   * @param options.hasContainer whether there is a container of that id
   */
  static async open(
    parts: VolumeServiceParts,
    options: { readonly hasContainer: (id: string) => boolean },
  ): Promise<VolumeService> {
    const service = new VolumeService(parts);
    const { table, root } = parts;
    const folders = await service.#folders.open();
    for (const record of table.list()) {
      if (record.driver !== undefined || folders.has(record.name)) service.#records.set(record.name, record);
      else table.remove(record.name);
    }
    const isGone = ({ boundTo }: VolumeRecord) => boundTo !== undefined && !options.hasContainer(boundTo);
    // Before anything is removed: what is mounted is not ours to remove.
    const stuck = await service.#mounts.sweep(root, (name) => {
      const record = service.#records.get(name);
      return record !== undefined && needsMount(record) && !isGone(record);
    });
    for (const name of folders) {
      if (stuck.has(name)) continue;
      if (!isVolumeName(name)) service.#folders.removeStray(name);
      else if (!service.#records.has(name)) await service.#adopt(name);
      else await service.#folders.sweepFilling(name);
    }
    for (const record of service.list()) {
      if (record.boundTo === undefined || stuck.has(record.name)) continue;
      if (isGone(record)) service.#discardSettled(record);
      else service.#put(unbound(record));
    }
    return service;
  }

  list(): readonly VolumeRecord[] {
    return [...this.#records.values()];
  }

  find(name: string): VolumeRecord | undefined {
    return this.#records.get(name);
  }

  /** @throws {Fault} `not-found`, Docker's words */
  get(name: string): VolumeRecord {
    const record = this.find(name);
    if (record === undefined) throw volumeFaults.NO_SUCH_VOLUME(name);
    return record;
  }

  /** Where its data is on this host, unless a plugin has it. */
  mountpointOf({ name }: VolumeRecord): string {
    return this.#folders.dataOf(name);
  }

  /** Ids of the containers that mount it. */
  usedBy({ name }: VolumeRecord): readonly string[] {
    return this.#parts.usedBy(name);
  }

  /** Bytes of its files; -1: a plugin has them. */
  async measure(record: VolumeRecord, options: { readonly signal?: AbortSignal } = {}): Promise<number> {
    if (record.driver !== undefined) return -1;
    return await measureFiles({ kind: "folder", path: this.mountpointOf(record) }, options);
  }

  /**
   * The volume of that name, made when it is not there, and kept from removal until disposal.
   *
   * @param boundTo the container that it is made for; `settle` ends that
   * @throws {Fault} `invalid-argument`, `not-found` for the driver, `conflict` when another driver has that name, what the
   *   plugin says; Docker's words
   */
  async ensure(request: VolumeRequest, boundTo?: string): Promise<HeldVolume> {
    const { name = "", driver = "" } = request;
    const existing = this.#records.get(name);
    if (existing === undefined) {
      const owner = driver === "" && name !== "" ? await this.#parts.plugins.findOwner(name) : undefined;
      const wanted = owner?.name ?? driver;
      if (wanted !== "" && wanted !== localDriver)
        return await this.#createPlugged({ ...request, driver: wanted }, boundTo);
    } else if (driver !== "" && (existing.driver ?? localDriver) !== driver) {
      throw volumeFaults.VOLUME_DRIVER_CONFLICT(name, existing.driver ?? localDriver);
    }
    const record = this.#records.get(name) ?? this.create(request, boundTo);
    return { record, [Symbol.dispose]: this.hold(record)[Symbol.dispose] };
  }

  async #createPlugged(request: VolumeRequest, boundTo?: string): Promise<HeldVolume> {
    const wanted = this.#plan(request, boundTo);
    const { name, driver = "", options = {} } = wanted;
    const hold = this.hold(wanted);
    try {
      await this.#parts.plugins.createVolume(driver, name, options);
    } catch (error) {
      hold[Symbol.dispose]();
      throw error;
    }
    const existing = this.#records.get(name); // somebody else was faster
    const record = existing ?? wanted;
    if (existing === undefined) {
      this.#put(wanted);
      this.#publish("create", wanted);
    }
    return { record, [Symbol.dispose]: hold[Symbol.dispose] };
  }

  /** The volume of that name, of the engine's own; made when it is not there. @throws {Fault} `invalid-argument` */
  create(request: VolumeRequest, boundTo?: string): VolumeRecord {
    const wanted = this.#plan(request, boundTo);
    const existing = this.#records.get(wanted.name);
    if (existing !== undefined) return existing;
    this.#folders.make(wanted);
    this.#parts.reach("volume.made");
    this.#put(wanted);
    this.#parts.reach("volume.recorded");
    this.#publish("create", wanted);
    return wanted;
  }

  /**
   * A new volume with what `fill` puts into its folder: all of it, or no volume.
   *
   * @throws {Fault} as `create`, as `fill`; `conflict` when there is one of that name, now or by the time it is full
   */
  async createFilled(request: VolumeRequest, fill: (folder: string) => Promise<void>): Promise<VolumeRecord> {
    const wanted = this.#plan(request);
    const { name } = wanted;
    if (needsMount(wanted)) throw volumeFaults.VOLUME_NOT_A_FOLDER(name);
    const check = () => {
      if (this.#records.has(name)) throw volumeFaults.VOLUME_EXISTS(name);
    };
    check();
    await this.#folders.makeFilled(wanted, fill, check);
    this.#put(wanted);
    this.#publish("create", wanted);
    return wanted;
  }

  /** Do `work` in a volume's folder, with what it stands for mounted there; it is not removed meanwhile. */
  async use<T>(record: VolumeRecord, work: (folder: string) => Promise<T>): Promise<T> {
    using _hold = this.hold(record);
    const user = `use-${randomUUID()}`;
    const folders = await this.mount([record.name], user);
    try {
      return await work(folders.get(record.name) ?? this.mountpointOf(record));
    } finally {
      await this.unmount([record.name], user);
    }
  }

  #plan(request: VolumeRequest, boundTo?: string): VolumeRecord {
    const { now, randomBytes } = this.#parts;
    return planVolume(request, { now, randomBytes, existing: this.#records.values(), boundTo });
  }

  /** Keep a volume from removal until disposal. */
  hold({ name }: VolumeRecord): Disposable {
    return this.#holds.hold(name);
  }

  /** The container that a volume was made for is on record. */
  settle(record: VolumeRecord): void {
    const current = this.#records.get(record.name);
    if (current?.boundTo !== undefined) this.#put(unbound(current));
  }

  /**
   * Fill an empty volume with what an image has at `path`, owner and mode of the folder included. One that has data stays as
   * it is.
   */
  async fill(
    record: VolumeRecord,
    source: { readonly layers: readonly string[]; readonly path: string; readonly signal?: AbortSignal },
  ): Promise<void> {
    const filling = this.#folders.fillingOf(record.name);
    // Where a project begins, nothing can be moved to.
    const isMounted =
      needsMount(record) || record.project !== undefined || this.#parts.usedBy(record.name).length > 0;
    await this.use(record, (folder) =>
      this.#locks.run(record.name, () => copyUp({ ...source, folder, filling, isMounted })),
    );
  }

  /**
   * Have what these volumes stand for mounted, until `unmount` by the same user. Most stand for nothing but their folder.
   *
   * @returns folders of those that stand for something
   * @throws {Fault} `internal`, Docker's words; then none of them is mounted for that user.
   */
  async mount(names: readonly string[], user: string): Promise<ReadonlyMap<string, string>> {
    const folders = new Map<string, string>();
    try {
      for (const record of this.#mountable(names))
        folders.set(record.name, await this.#mounts.acquire(record, user));
      return folders;
    } catch (error) {
      await this.unmount(names, user);
      throw error;
    }
  }

  /** A container of before uses these volumes. */
  adoptMounts(names: readonly string[], user: string): void {
    for (const record of this.#mountable(names)) this.#mounts.adopt(record, user);
  }

  /** Undo `mount`. It is begun at once: what comes later waits for it. */
  async unmount(names: readonly string[], user: string): Promise<void> {
    await Promise.all(this.#mountable(names).map((record) => this.#mounts.release(record, user)));
  }

  /** After all containers that run have been adopted: take away what an engine before has left mounted. */
  async sweepMounts(): Promise<void> {
    await this.#mounts.sweep(this.#parts.root, () => false);
  }

  #mountable(names: readonly string[]): readonly VolumeRecord[] {
    return [...new Set(names)].flatMap((name) => {
      const record = this.#records.get(name);
      return record !== undefined && needsMount(record) ? record : [];
    });
  }

  /**
   * Remove a volume and its data, when what its last user had mounted is away.
   *
   * @throws {Fault} `not-found` unless `force`, `conflict` while a container has it; Docker's words
   */
  async remove(name: string, options: { readonly force: boolean }): Promise<void> {
    await this.#mounts.whenSettled(name, async (isFree) => {
      const record = this.#records.get(name);
      if (record === undefined) {
        if (options.force) return;
        throw volumeFaults.NO_SUCH_VOLUME(name);
      }
      const users = this.#parts.usedBy(name);
      if (!isFree || users.length > 0 || this.#holds.has(name))
        throw volumeFaults.VOLUME_IN_USE(name, users.join(", "));
      await this.#parts.plugins.removeVolume(record, options);
      this.#discard(record);
    });
  }

  /** Before a container goes with its anonymous volumes: they are to go even if the engine dies in between. */
  bind(name: string, container: string): void {
    const record = this.#records.get(name);
    if (record?.anonymous === true) this.#put({ ...record, boundTo: container });
  }

  /** Remove what was bound to a container that is gone; another one may have it still. */
  removeUnused(name: string): void {
    const record = this.#records.get(name);
    if (record === undefined) return;
    if (this.#parts.usedBy(name).length === 0 && !this.#holds.has(name)) this.#discardSettled(record);
    else if (record.boundTo !== undefined) this.#put(unbound(record));
  }

  /** At once, unless it may still be mounted: then an engine that dies meanwhile leaves that to the next one. */
  #discardSettled(record: VolumeRecord): void {
    if (!needsMount(record)) {
      this.#discard(record);
      return;
    }
    this.#mounts
      .whenSettled(record.name, async (isFree) => {
        if (!isFree || !this.#records.has(record.name)) return;
        await this.#parts.plugins.removeVolume(record, { force: false });
        this.#discard(record);
      })
      .catch((error: unknown) =>
        this.#parts.log.warn("cannot remove a volume", { volume: record.name, error }),
      );
  }

  /** Remove volumes that no container has. */
  async prune(
    wanted: (record: VolumeRecord) => boolean,
  ): Promise<{ readonly names: readonly string[]; readonly reclaimedBytes: number }> {
    const names: string[] = [];
    let reclaimedBytes = 0;
    for (const record of this.list().filter(wanted)) {
      if (this.#parts.usedBy(record.name).length > 0) continue;
      const sizeBytes = await this.measure(record);
      if (this.#parts.usedBy(record.name).length > 0 || this.#holds.has(record.name)) continue;
      if (!this.#records.has(record.name)) continue;
      this.#discard(record);
      names.push(record.name);
      reclaimedBytes += sizeBytes;
    }
    this.#parts.events.publish({
      type: "volume",
      action: "prune",
      actor: { id: "", attributes: { reclaimed: String(reclaimedBytes) } },
    });
    return { names, reclaimedBytes };
  }

  #discard(record: VolumeRecord): void {
    const { table, reach } = this.#parts;
    const removeFiles = record.driver === undefined ? this.#folders.takeAway(record) : undefined;
    reach("volume.moved");
    table.remove(record.name);
    reach("volume.forgotten");
    this.#records.delete(record.name);
    this.#publish("destroy", record);
    removeFiles?.();
  }

  /** A folder without a row: nothing was ever in it, or the row was lost. */
  async #adopt(name: string): Promise<void> {
    const createdAtMs = await this.#folders.dateOrRemove(name);
    if (createdAtMs === undefined) return;
    this.#parts.log.warn("found a volume that was not on record", { volume: name });
    this.#put({ name, createdAtMs, anonymous: false });
  }

  #put(record: VolumeRecord): void {
    this.#parts.table.put(record, { durable: !record.anonymous });
    this.#records.set(record.name, record);
  }

  #publish(action: "create" | "destroy", { name, driver = localDriver }: VolumeRecord): void {
    this.#parts.events.publish({
      type: "volume",
      action,
      actor: { id: name, attributes: { driver } },
    });
  }
}

function unbound({ boundTo: _boundTo, ...record }: VolumeRecord): VolumeRecord {
  return record;
}
