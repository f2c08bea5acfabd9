import { type ClientSession, sendBytes } from "@hawser/build/grpc";
import { parseReference } from "@hawser/oci";
import { contentTarget } from "../cache/blob-place.ts";
import { blobOf } from "../export/image-blobs.ts";
import { type IndexedImage, withImageIndex } from "../export/image-index.ts";
import { writeOciLayout } from "../export/oci-layout.ts";
import type { ExportContext } from "./export-result.ts";
import { type DescribedManifest, describeManifest, type PushOptions, pushWritten } from "./push-written.ts";

type Annotations = Readonly<Record<string, string>>;

/**
 * Give images and what is said of them to registries, as an index under each name. An image of this engine's has it beside it from then
 * on, where anything is said.
 *
 * @param options.pushes false: nothing else is done
 * @throws {Fault} what a registry says
 */
export async function bringIndexed(
  images: readonly IndexedImage[],
  options: PushOptions & { readonly annotations: Annotations; readonly pushes: boolean },
  context: ExportContext,
): Promise<DescribedManifest> {
  const { keptAs, names, pushes } = options;
  return await withImageIndex(images, {
    ...context,
    ...options,
    async use(index) {
      const { digest } = index.manifest;
      const isKept = keptAs !== undefined && images.some(({ attestations }) => attestations.length > 0);
      if (isKept) {
        const written = [...index.manifests, index.manifest].map(({ bytes }) => blobOf(bytes));
        await context.images.attest(keptAs, { digest, blobs: [...index.blobs, ...written] }, names);
      }
      if (pushes) await pushWritten(index, { ...options, ...(isKept && { attested: digest }) }, context);
      return describeManifest(index.manifest);
    },
  });
}

/** Send the client an OCI layout whose only entry is an index: as an archive, or into a folder that it lends. */
export async function sendIndexed(
  images: readonly IndexedImage[],
  options: {
    readonly names: readonly string[];
    readonly annotations: Annotations;
    /** Of what points to the index. */
    readonly descriptor: Annotations;
    readonly isFile: boolean;
    readonly id: number;
    readonly session: ClientSession;
  },
  context: ExportContext,
): Promise<DescribedManifest> {
  const { names, annotations, descriptor, isFile, id, session } = options;
  const { signal } = context;
  return await withImageIndex(images, {
    ...context,
    names,
    annotations,
    async use(index) {
      const blobs = [...index.blobs, ...index.manifests.map(({ bytes }) => blobOf(bytes))];
      if (isFile) {
        const tags = names.map((name) => ({
          ...descriptor,
          "io.containerd.image.name": name,
          "org.opencontainers.image.ref.name": parseReference(name).tag ?? "latest",
        }));
        const archive = writeOciLayout(index.manifest, {
          blobs,
          tags: tags.length === 0 ? [descriptor] : tags,
        });
        await sendBytes(session, archive, { exporterId: id, metadata: {}, signal });
      } else {
        const target = contentTarget(session.content("export"));
        for (const blob of blobs) await target.put(blob, signal);
        await target.putManifest(index.manifest, { isTop: true, signal });
      }
      return {
        ...describeManifest(index.manifest),
        ...(Object.keys(descriptor).length > 0 && { annotations: descriptor }),
      };
    },
  });
}
