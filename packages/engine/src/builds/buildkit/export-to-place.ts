import {
  type BuildContextOfClient,
  type CachePlaceRequest,
  type ClientSession,
  sendBytes,
} from "@hawser/build/grpc";
import { type Digest, parseReference } from "@hawser/oci";
import type { RegistryAccess } from "@hawser/registry/client";
import { type BlobTarget, contentTarget, type GivenBlob, repositoryTarget } from "../cache/blob-place.ts";
import { exportCache, type ResultsToExport, readCacheForm } from "../cache/export-cache.ts";
import { readTruth } from "../export/attributes.ts";
import { blobOf } from "../export/image-blobs.ts";
import { writeOciLayout } from "../export/oci-layout.ts";
import { buildFaults } from "../faults.ts";
import type { ExportPorts } from "./export-result.ts";

type PlaceContext = ExportPorts &
  BuildContextOfClient & { readonly access: (domain: string) => Promise<RegistryAccess> };

/**
 * Bring kept results to a place of a client's choice. @returns what is told of it, by BuildKit's names
 *
 * @param share what makes them what all builders know
 * @throws {Fault} what the place says, unless the client does not mind (`ignore-error`)
 */
export async function exportToPlace(
  share: () => Promise<ResultsToExport>,
  { type, attributes }: CachePlaceRequest,
  context: PlaceContext,
): Promise<Readonly<Record<string, string>>> {
  const { progress, images, content, signal, collaborators } = context;
  const { reach } = collaborators;
  const form = readCacheForm(attributes);
  const isOptional = readTruth(attributes, "ignore-error", false);
  const title = type === "registry" ? "exporting cache to registry" : "exporting cache to client directory";
  const work = progress.step(title, async (step) => {
    await using place = await openPlace({ type, attributes }, context);
    const onBlob = (digest: Digest) => step.status(`writing layer ${digest}`, { current: 0, isDone: true });
    const manifest = await exportCache(await share(), place.target, {
      form,
      images,
      content,
      onBlob,
      reach,
      signal,
    });
    step.status(`writing cache manifest ${manifest.digest}`, { current: 0, isDone: true });
    return type === "local" ? { "cache.manifest": JSON.stringify(manifest) } : {};
  });
  try {
    return await work;
  } catch (error) {
    if (isOptional && !signal.aborted) return {};
    throw error;
  }
}

interface OpenPlace extends AsyncDisposable {
  readonly target: BlobTarget;
}

async function openPlace(
  { type, attributes }: CachePlaceRequest,
  { session, registry, access, signal }: PlaceContext,
): Promise<OpenPlace> {
  const done = async () => {};
  if (type === "registry") {
    const reference = parseReference(attributes["ref"] ?? "");
    const repository = await registry.openRepository(reference, await access(reference.domain));
    return { target: repositoryTarget(attributes["ref"] ?? "", repository), [Symbol.asyncDispose]: done };
  }
  if (type !== "local") throw buildFaults.CACHE_KIND(type);
  if (session === undefined) throw buildFaults.SESSION_NEEDED();
  const { dest = "", store, tag = "latest" } = attributes;
  if (store === undefined) {
    return {
      target: contentTarget(session.content(`local:${dest}`)),
      [Symbol.asyncDispose]: done,
    };
  }
  const exporterId = Number(store);
  return { target: archiveTarget(session, { exporterId, tag, signal }), [Symbol.asyncDispose]: done };
}

/** Hawser's own client gets an OCI layout as an archive, when all of it is known. */
function archiveTarget(
  session: ClientSession,
  {
    exporterId,
    tag,
    signal,
  }: { readonly exporterId: number; readonly tag: string; readonly signal: AbortSignal },
): BlobTarget {
  const blobs = new Map<Digest, GivenBlob>();
  const put = (blob: GivenBlob) => void blobs.set(blob.digest, blob);
  return {
    put: async (blob) => put(blob),
    async putManifest(manifest, { isTop }) {
      if (!isTop) return put(blobOf(manifest.bytes));
      const tags = [{ "org.opencontainers.image.ref.name": tag }];
      const archive = writeOciLayout(manifest, { blobs: blobs.values(), tags });
      await sendBytes(session, archive, { exporterId, metadata: {}, signal });
    },
  };
}
