import { readdir } from "node:fs/promises";
import { openArchive, withoutForeignCompression, writeArchive } from "@hawser/store";
import { TransferFeed } from "../images/transfer-feed.ts";
import { volumeFaults } from "./faults.ts";
import type { VolumeRequest } from "./plan-volume.ts";
import type { VolumeRecord } from "./volume-record.ts";
import type { VolumeService } from "./volume-service.ts";

/** How far an import or a clone is. */
export type VolumeCopyEvent =
  | {
      readonly kind: "copying";
      readonly name: string;
      readonly currentBytes: number;
      readonly totalBytes: number;
    }
  | { readonly kind: "copied"; readonly name: string };

interface CopyOptions {
  readonly signal: AbortSignal;
  /** Milliseconds, from anywhere. */
  readonly now: () => number;
}

/**
 * A volume's files as an archive, as they are while it is read. The end of `send` is the end of the work.
 *
 * @throws {Fault} `not-found`; `internal` when what it stands for cannot be mounted
 */
export async function exportVolume(
  volumes: VolumeService,
  record: VolumeRecord,
  send: (archive: AsyncIterable<Uint8Array>) => Promise<void>,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  await volumes.use(record, async (folder) => {
    await using opened = await openArchive({ kind: "folder", path: folder }, "/.", options);
    await send(opened.archive);
  });
}

/**
 * Unpack an archive into a volume. One that is not there is made, with all of the archive or not at all. One that is there
 * must be empty, unless what is in it is to be written over; what came before a failure stays in it then.
 *
 * @param request.totalBytes the archive's size; 0: not known
 */
export function importVolume(
  volumes: VolumeService,
  request: {
    readonly wanted: VolumeRequest & { readonly name: string };
    readonly archive: AsyncIterable<Uint8Array>;
    readonly totalBytes: number;
    readonly merge: boolean;
  },
  options: CopyOptions,
): AsyncGenerator<VolumeCopyEvent, void, undefined> {
  const { wanted, archive, totalBytes, merge } = request;
  const { name } = wanted;
  const existing = volumes.find(name);
  return copying(options, async ({ counted, signal }) => {
    const plain = withoutForeignCompression(counted(archive, { name, totalBytes }));
    const unpack = (folder: string) => write(folder, plain, signal);
    if (existing === undefined) {
      await volumes.createFilled(wanted, unpack);
      return name;
    }
    await volumes.use(existing, async (folder) => {
      if (!merge && (await readdir(folder)).length > 0) throw volumeFaults.VOLUME_NOT_EMPTY(name);
      await unpack(folder);
    });
    return name;
  });
}

/** A new volume with the files that another has now; labels of the other are its own, but for those that `wanted` gives. */
export function cloneVolume(
  volumes: VolumeService,
  request: { readonly source: VolumeRecord; readonly wanted: VolumeRequest },
  options: CopyOptions,
): AsyncGenerator<VolumeCopyEvent, void, undefined> {
  const { source, wanted } = request;
  return copying(options, async ({ counted, signal }) => {
    const totalBytes = await volumes.measure(source, { signal });
    const labels = { ...source.labels, ...wanted.labels };
    const name = wanted.name ?? "";
    const made = await volumes.createFilled({ ...wanted, labels }, (folder) =>
      exportVolume(
        volumes,
        source,
        (archive) => write(folder, counted(archive, { name, totalBytes }), signal),
        { signal },
      ),
    );
    return made.name;
  });
}

/** The events of a copy: bytes that went by, then its end with the volume's name. */
function copying(
  { now, signal }: CopyOptions,
  work: (tools: {
    readonly counted: (
      archive: AsyncIterable<Uint8Array>,
      what: { readonly name: string; readonly totalBytes: number },
    ) => AsyncIterable<Uint8Array>;
    readonly signal: AbortSignal;
  }) => Promise<string>,
): AsyncGenerator<VolumeCopyEvent, void, undefined> {
  const feed = new TransferFeed<VolumeCopyEvent>(now);
  const counted = async function* (
    archive: AsyncIterable<Uint8Array>,
    { name, totalBytes }: { readonly name: string; readonly totalBytes: number },
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let currentBytes = 0;
    for await (const chunk of archive) {
      currentBytes += chunk.length;
      feed.putProgress(
        { kind: "copying", name, currentBytes, totalBytes },
        { key: "bytes", isComplete: false },
      );
      yield chunk;
    }
  };
  return feed.during(async (workSignal) => {
    feed.put({ kind: "copied", name: await work({ counted, signal: workSignal }) });
  }, signal);
}

async function write(folder: string, archive: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  await writeArchive({ kind: "folder", path: folder }, archive, {
    path: "/",
    keepKinds: false,
    keepFolder: false,
    signal,
  });
}
