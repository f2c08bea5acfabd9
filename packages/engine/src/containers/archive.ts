import { Fault } from "@hawser/base";
import { resolveUser } from "@hawser/runtime";
import {
  type FileStat,
  openArchive,
  readFiles,
  statPath,
  withoutForeignCompression,
  writeArchive,
} from "@hawser/store";
import { readAccounts } from "./accounts.ts";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { containerFaults } from "./faults.ts";
import { withFiles } from "./files-root.ts";
import { mountsOf } from "./plan-mounts.ts";
import { publishContainerEvent } from "./publish-event.ts";

export interface ArchiveRequest {
  readonly container: Container;
  /** How the client named it, for messages. */
  readonly name: string;
  /** In the container; relative paths count from its root. */
  readonly path: string;
  readonly signal: AbortSignal;
}

const scope = { with: "mounts" } as const;

/** @throws {Fault} `not-found`, `invalid-argument`; Docker's words */
export async function statContainerFile(
  collaborators: Collaborators,
  request: ArchiveRequest,
): Promise<FileStat> {
  const { container, path, signal } = request;
  return await inDockersWords(request, () =>
    withFiles(collaborators, { container, scope }, (root) => statPath(root, path, { signal })),
  );
}

/**
 * A file or folder as an archive. `send` gets both, and its end is the end of the work.
 *
 * @throws {Fault} `not-found`, `invalid-argument`; Docker's words
 */
export async function readContainerArchive(
  collaborators: Collaborators,
  request: ArchiveRequest,
  send: (stat: FileStat, archive: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  const { container, path, signal } = request;
  await inDockersWords(request, () =>
    withFiles(collaborators, { container, scope }, async (root) => {
      await using opened = await openArchive(root, path, { signal });
      publishContainerEvent(collaborators.events, container, "archive-path");
      await send(opened.stat, opened.archive);
    }),
  );
}

/**
 * Unpack an archive into a folder.
 *
 * @throws {Fault} `not-found`, `invalid-argument`, `permission-denied`, `data-loss`; Docker's words where it has some
 */
export async function writeContainerArchive(
  collaborators: Collaborators,
  request: ArchiveRequest,
  options: {
    readonly archive: AsyncIterable<Uint8Array>;
    /** Refuse to put a file in the place of a folder, or the other way round. */
    readonly keepKinds: boolean;
    /** Everything becomes the container's user's, if it names one. */
    readonly toUser: boolean;
  },
): Promise<void> {
  const { container, path, signal } = request;
  const { archive, keepKinds, toUser } = options;
  const { user } = container.record.config;
  const owner =
    toUser && user !== ""
      ? resolveUser(user, { ...readAccounts(collaborators.snapshots.get(container.id)), groupAdd: [] })
      : undefined;
  await inDockersWords(request, () =>
    withFiles(collaborators, { container, scope }, (root) =>
      writeArchive(root, withoutForeignCompression(archive), {
        path,
        keepKinds,
        keepFolder: true,
        signal,
        ...(owner && { owner: { uid: owner.uid, gid: owner.gid } }),
      }),
    ),
  );
  publishContainerEvent(collaborators.events, container, "extract-to-dir");
}

/** A container's root file system as an archive, without what is mounted in it. */
export async function exportContainer(
  collaborators: Collaborators,
  { container, signal }: Pick<ArchiveRequest, "container" | "signal">,
  send: (archive: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  await withFiles(collaborators, { container, scope: { with: "root-only" } }, (root) =>
    send(readFiles(root, { kind: "export" }, { signal })),
  );
  publishContainerEvent(collaborators.events, container, "export");
}

async function inDockersWords<T>(request: ArchiveRequest, work: () => Promise<T>): Promise<T> {
  const { container, name, path } = request;
  try {
    return await work();
  } catch (error) {
    if (Fault.is(error, "not-found")) throw containerFaults.FILE_NOT_FOUND(path, name).because(error);
    if (!Fault.is(error, "permission-denied")) throw error;
    const isMounted = mountsOf(container.record).some(({ target }) =>
      `/${path}/`.replaceAll("//", "/").startsWith(`${target}/`),
    );
    throw (isMounted ? containerFaults.VOLUME_READ_ONLY() : containerFaults.ROOTFS_READ_ONLY()).because(
      error,
    );
  }
}
