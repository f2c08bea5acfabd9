import { Fault } from "@hawser/base";
import { parseInlineCache } from "@hawser/build";
import type { CachePlaceRequest, ClientSession } from "@hawser/build/grpc";
import { isDigest, parseDigest, parseReference, platformOfNode } from "@hawser/oci";
import type { RegistryAccess } from "@hawser/registry/client";
import type { ImageStore } from "@hawser/store";
import type { RemoteImages } from "../../images/remote-images.ts";
import { buildFaults } from "../faults.ts";
import { type BlobOrigin, contentOrigin, repositoryOrigin } from "./blob-place.ts";
import type { ResultSource } from "./imported-results.ts";
import { lentBlobs } from "./lent-blobs.ts";
import { loadCache } from "./load-cache.ts";

export interface SourceParts {
  readonly images: ImageStore;
  readonly registry: Pick<RemoteImages, "openRepository">;
  readonly access: (domain: string) => Promise<RegistryAccess>;
  /** Absent: the client lends nothing. */
  readonly session?: ClientSession | undefined;
}

/** A place that a client has named. @throws {Fault} `invalid-argument` */
export function openSource(request: CachePlaceRequest, parts: SourceParts): ResultSource {
  switch (request.type) {
    case "registry":
      return registrySource(request.attributes["ref"] ?? "", parts);
    case "local":
      return sourceOf(localOrigin(request, parts));
    default:
      throw buildFaults.CACHE_KIND(request.type);
  }
}

/** An image that is here says best what it was made of; else the registry is asked. */
export function registrySource(
  reference: string,
  { images, registry, access }: Omit<SourceParts, "session">,
): ResultSource {
  const { domain } = parseReference(reference);
  const origin = repositoryOrigin(reference, async () =>
    registry.openRepository(parseReference(reference), await access(domain)),
  );
  const remote = sourceOf(origin);
  return {
    ...remote,
    load: async (signal) => findOwn(reference, images) ?? (await remote.load(signal)),
  };
}

function findOwn(reference: string, images: ImageStore) {
  try {
    const { config, diffIds } = images.resolve(reference);
    if (config.inlineCache === undefined) return undefined;
    const layers = diffIds.map((diffId) => ({ blob: diffId, mediaType: "", diffId, sizeBytes: 0 }));
    return parseInlineCache(Buffer.from(config.inlineCache, "base64"), layers);
  } catch (error) {
    if (Fault.is(error)) return undefined;
    throw error;
  }
}

function localOrigin({ attributes }: CachePlaceRequest, { session }: SourceParts): BlobOrigin {
  const { src = "", digest = "" } = attributes;
  if (session === undefined) throw buildFaults.SESSION_NEEDED();
  if (!isDigest(digest)) throw buildFaults.CACHE_MISSING(src);
  const options = { name: src, digest: parseDigest(digest) };
  const store = `local:${src}`;
  return contentOrigin(lentBlobs(session, store), options);
}

function sourceOf(origin: BlobOrigin): ResultSource {
  const host = platformOfNode(process);
  return {
    name: origin.name,
    load: (signal) => loadCache(origin, { platform: host, signal }),
    open: ({ blob, sizeBytes }, signal) => origin.open({ digest: blob, sizeBytes }, signal),
  };
}
