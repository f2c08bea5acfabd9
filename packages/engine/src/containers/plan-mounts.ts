import { Fault } from "@hawser/base";
import type { ContainerConfig, HostConfig } from "@hawser/runtime";
import { cleanPath, parseBind } from "@hawser/runtime";
import type { Image, Snapshotter } from "@hawser/store";
import { volumeFaults } from "../volumes/faults.ts";
import type { VolumeRequest } from "../volumes/plan-volume.ts";
import type { VolumeRecord } from "../volumes/volume-record.ts";
import type { VolumeService } from "../volumes/volume-service.ts";
import type { ContainerIndex } from "./container-index.ts";
import type { ContainerId, ContainerMount, ContainerRecord } from "./container-record.ts";
import { containerFaults } from "./faults.ts";
import { bindMountsOf } from "./mounts.ts";

/** The mounts of a container that is being made, and the volumes that wait for it. */
export interface MountPlan extends Disposable {
  readonly mounts: readonly ContainerMount[];
  /** Images that are mounted, and the keys of the snapshots that are to keep their layers. */
  readonly images: readonly { readonly image: Image; readonly snapshot: string }[];
  /** Fill empty volumes with what the image has at their places. */
  fill(layers: readonly string[], options: { readonly signal?: AbortSignal }): Promise<void>;
  /** The container is on record: its volumes are its own. Without this, disposal takes the anonymous ones away. */
  settle(): void;
}

/**
 * Decide what a container mounts, and make the volumes that are missing. Docker's order: of other containers, then `binds`,
 * then `mounts`, then what image and command line want at places that are still free.
 *
 * @throws {Fault} `not-found` for a container, `invalid-argument`, `not-implemented`; Docker's words
 */
export async function planMounts(
  {
    index,
    volumes,
    images,
  }: {
    readonly index: ContainerIndex;
    readonly volumes: VolumeService;
    readonly images: { readonly resolve: (nameOrId: string) => Image };
  },
  request: { readonly id: ContainerId; readonly config: ContainerConfig; readonly hostConfig: HostConfig },
): Promise<MountPlan> {
  const { id, config, hostConfig } = request;
  const planned = new Map<string, ContainerMount>();
  const fillable: { readonly record: VolumeRecord; readonly path: string }[] = [];
  const own: VolumeRecord[] = [];
  let settled = false;
  using made = new DisposableStack();
  const add = (mount: ContainerMount) => planned.set(mount.target, mount);
  const addVolume = async (
    wanted: { readonly name: string } & VolumeRequest,
    mount: {
      readonly target: string;
      readonly readOnly: boolean;
      readonly noCopy: boolean;
      readonly mode: string;
      readonly subpath?: string;
    },
  ) => {
    const anonymous = wanted.name === "";
    const held = await volumes.ensure(wanted, id);
    const { record } = held;
    own.push(record);
    made.defer(() => {
      held[Symbol.dispose]();
      if (anonymous && !settled) volumes.removeUnused(record.name);
    });
    const { noCopy, ...rest } = mount;
    add({
      type: "volume",
      ...rest,
      source: record.driver === undefined ? volumes.mountpointOf(record) : "",
      recursive: true,
      propagation: "rprivate",
      volume: { name: record.name, anonymous, ...(record.driver && { driver: record.driver }) },
    });
    if (!noCopy && rest.subpath === undefined) fillable.push({ record, path: mount.target });
  };

  const mountedImages: { readonly image: Image; readonly snapshot: string }[] = [];
  const addImage = (
    image: Image,
    mount: { readonly source: string; readonly target: string; readonly subpath?: string },
  ) => {
    const snapshot = mountSnapshotOf(id, mountedImages.length);
    mountedImages.push({ image, snapshot });
    add({
      type: "image",
      ...mount,
      readOnly: true,
      recursive: true,
      propagation: "rprivate",
      mode: "",
      image: { id: image.id, snapshot },
    });
  };

  for (const mount of hostConfig.volumesFrom.flatMap((text) => mountsFrom(text, index))) {
    const { source, target, subpath, image } = mount;
    if (image === undefined) add(mount);
    else addImage(findImage(images, image.id), { source, target, ...(subpath && { subpath }) });
  }
  for (const mount of bindMountsOf(hostConfig)) add(mount);
  for (const text of hostConfig.binds) {
    const bind = parseBind(text);
    if (bind.kind !== "volume") continue;
    const mode = text.split(":").slice(2).join(":") || "z";
    await addVolume({ name: bind.source, driver: hostConfig.volumeDriver }, { ...pick(bind), mode });
  }
  for (const mount of hostConfig.mounts) {
    if (mount.type !== "volume") continue;
    const { volume, source, target, readOnly } = mount;
    const subpath = volume?.subpath || undefined;
    const wanted = {
      name: source,
      ...(volume?.driver && { driver: volume.driver.name, options: volume.driver.options }),
      ...(volume?.labels && { labels: volume.labels }),
    };
    await addVolume(wanted, {
      target: cleanPath(target),
      readOnly,
      noCopy: volume?.noCopy === true,
      mode: "z",
      ...(subpath !== undefined && { subpath }),
    });
  }
  for (const mount of hostConfig.mounts) {
    if (mount.type !== "image") continue;
    const { source, target, image } = mount;
    addImage(findImage(images, source), {
      source,
      target: cleanPath(target),
      ...(image?.subpath && { subpath: image.subpath }),
    });
  }
  const tmpfs = [
    ...Object.keys(hostConfig.tmpfs),
    ...hostConfig.mounts.filter(({ type }) => type === "tmpfs").map(({ target }) => target),
  ].map(cleanPath);
  for (const path of config.volumes) {
    const target = cleanPath(path);
    if (planned.has(target) || tmpfs.includes(target)) continue;
    await addVolume(
      { name: "", driver: hostConfig.volumeDriver },
      { target, readOnly: false, noCopy: false, mode: "" },
    );
  }

  const held = made.move();
  return {
    mounts: [...planned.values()],
    images: mountedImages,
    async fill(layers, options) {
      for (const { record, path } of fillable) await volumes.fill(record, { layers, path, ...options });
    },
    settle() {
      settled = true;
      for (const record of own) volumes.settle(record);
    },
    [Symbol.dispose]: () => held.dispose(),
  };
}

function pick({ target, readOnly, noCopy }: ReturnType<typeof parseBind>) {
  return { target, readOnly, noCopy };
}

/** As Docker, which does not pull it either; but not `not-found`: clients take that for the container's own image. */
function findImage(images: { readonly resolve: (nameOrId: string) => Image }, name: string): Image {
  try {
    return images.resolve(name);
  } catch (error) {
    if (!Fault.is(error, "not-found")) throw error;
    throw containerFaults.MOUNTED_IMAGE_UNKNOWN(error.message).because(error);
  }
}

/** The key of a snapshot that keeps the layers of an image which a container mounts. */
export function mountSnapshotOf(id: ContainerId, number: number): string {
  return `${id}.${number}`;
}

/** The container that a snapshot is of: its root's key is its id. */
export function containerOfSnapshot(key: string): string {
  return key.split(".", 1)[0] ?? key;
}

/** The keys of a container's snapshots. */
export function snapshotsOf(record: ContainerRecord): readonly string[] {
  const mounted = mountsOf(record).flatMap(({ image }) => image?.snapshot ?? []);
  return [record.id, ...mounted.filter((key) => containerOfSnapshot(key) === record.id)];
}

/** `--volumes-from container[:mode]`. */
function mountsFrom(text: string, index: ContainerIndex): readonly ContainerMount[] {
  if (text === "") throw volumeFaults.VOLUMES_FROM_EMPTY();
  const at = text.lastIndexOf(":");
  const [name, mode] = at < 0 ? [text, "rw"] : [text.slice(0, at), text.slice(at + 1)];
  const words = mode.split(",");
  if (words.some((word) => !["ro", "rw", "z", "Z", "nocopy"].includes(word)))
    throw volumeFaults.VOLUMES_FROM_MODE(mode);
  const readOnly = words.includes("ro");
  const source = index.find(name);
  // Not `not-found`: clients take that for a missing image.
  if (source === undefined) throw containerFaults.JOIN_UNKNOWN(name);
  return mountsOf(source.record).map((mount) => ({
    ...mount,
    mode: "",
    readOnly: mount.readOnly || readOnly,
  }));
}

/** The mounts of a container; what has none on record has those that its configuration names. */
export function mountsOf({ mounts, hostConfig }: ContainerRecord): readonly ContainerMount[] {
  return mounts ?? bindMountsOf(hostConfig);
}

/** The mounts, with volumes that are mounted somewhere found there. */
export function withFolders(
  mounts: readonly ContainerMount[],
  folders: ReadonlyMap<string, string>,
): readonly ContainerMount[] {
  return mounts.map((mount) => {
    const folder = folders.get(mount.volume?.name ?? "");
    return folder === undefined ? mount : { ...mount, source: folder };
  });
}

/** A mount as it is; that of an image with the folders of its layers. */
export function withLayers(mount: ContainerMount, snapshots: Pick<Snapshotter, "get">): ContainerMount {
  if (mount.image === undefined) return mount;
  const { lower, upper, work } = snapshots.get(mount.image.snapshot);
  const writable = mount.readOnly ? undefined : { upper, work };
  return { ...mount, source: lower[0] ?? mount.source, layers: lower, ...(writable && { writable }) };
}

/** Names of the volumes that a container mounts. */
export function volumesOf(record: ContainerRecord): readonly string[] {
  return mountsOf(record).flatMap(({ volume }) => volume?.name ?? []);
}

/** Whether a container was made from an image, or mounts it. */
export function usesImage(record: ContainerRecord, imageId: string): boolean {
  return record.imageId === imageId || mountsOf(record).some(({ image }) => image?.id === imageId);
}

/** Ids of the containers that mount a volume. */
export function containersWithVolume(index: Pick<ContainerIndex, "list">, name: string): readonly string[] {
  return index
    .list()
    .filter(({ record }) => volumesOf(record).includes(name))
    .map(({ id }) => id);
}
