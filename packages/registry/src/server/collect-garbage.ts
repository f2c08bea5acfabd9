import type { Digest } from "@hawser/oci";
import type { RegistryService } from "./registry-service.ts";

export interface Collected {
  readonly manifests: number;
  readonly links: number;
  readonly uploads: number;
  readonly blobs: number;
  readonly bytes: number;
}

/**
 * Remove what no tag leads to, beside pushes: nothing younger than `graceMs` goes, so a push that takes no longer never loses what it
 * has sent. With `dryRun` nothing is removed, and the numbers are what would be.
 *
 * @param options.untagged manifests without a tag go, too
 */
export async function collectGarbage(
  service: RegistryService,
  options: {
    readonly graceMs: number;
    readonly untagged: boolean;
    readonly dryRun: boolean;
    readonly nowMs: number;
    /** Copies of other registries', and how long what nobody uses is kept. */
    readonly copies?: { readonly covers: (repository: string) => boolean; readonly keepMs: number };
  },
): Promise<Collected> {
  const { index, storage } = service;
  const beforeMs = options.nowMs - options.graceMs;
  let manifests = 0;
  const { copies } = options;
  const unused = copies === undefined ? [] : index.listManifestsBefore(options.nowMs - copies.keepMs);
  for (const { repository, digest } of unused) {
    if (copies?.covers(repository) !== true) continue;
    manifests += 1;
    if (!options.dryRun) index.removeManifest(repository, digest);
  }
  while (options.untagged) {
    const loose = index.listLooseManifests(beforeMs);
    manifests += loose.length;
    if (options.dryRun || loose.length === 0) break;
    // What an index kept is loose after it.
    for (const { repository, digest } of loose) index.removeManifest(repository, digest);
  }
  const links = index.listLooseLinks(beforeMs);
  if (!options.dryRun) for (const { repository, digest } of links) index.unlinkBlob(repository, digest);
  await service.settle(); // nobody may find what goes now
  const wouldGo = (digest: Digest) => {
    const loose = links.filter((link) => link.digest === digest).length;
    return loose === 0 ? !index.isNeeded(digest) : index.repositoriesWith(digest).length === loose;
  };
  const uploads = await storage.uploads.listIdle(beforeMs);
  if (!options.dryRun) for (const id of uploads) await storage.uploads.cancel(id);
  let blobs = 0;
  let bytes = 0;
  for await (const { digest, sizeBytes, storedMs } of storage.list()) {
    if (storedMs >= beforeMs) continue;
    const goes = options.dryRun ? wouldGo(digest) : await service.collectBlob(digest);
    if (!goes) continue;
    blobs += 1;
    bytes += sizeBytes;
  }
  return { manifests, links: links.length, uploads: uploads.length, blobs, bytes };
}
