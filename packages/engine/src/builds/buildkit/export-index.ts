import { type ClientSession, SessionContent, sendBytes } from "@hawser/build/grpc";
import { parseReference } from "@hawser/oci";
import { contentTarget, repositoryTarget } from "../cache/blob-place.ts";
import { blobOf } from "../export/image-blobs.ts";
import { type ImageIndex, type IndexedImage, withImageIndex } from "../export/image-index.ts";
import { writeOciLayout } from "../export/oci-layout.ts";
import type { ExportContext } from "./export-result.ts";

/** An index as its client is told of it. */
export interface DescribedIndex {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

type Annotations = Readonly<Record<string, string>>;

/**
 * Give images and what is said of them to registries, as an index under each name.
 *
 * @param options.isTop the names' tags are the index's from then on
 * @param options.onPush told of each name
 */
export async function pushIndexed(
  images: readonly IndexedImage[],
  options: {
    readonly names: readonly string[];
    readonly annotations: Annotations;
    readonly isTop: boolean;
    readonly onPush: (name: string, index: DescribedIndex) => void;
  },
  context: ExportContext,
): Promise<DescribedIndex> {
  const { names, annotations, isTop, onPush } = options;
  const { registry, access, signal } = context;
  return await withImageIndex(images, {
    ...context,
    names,
    annotations,
    async use(index) {
      const told = describe(index);
      for (const name of names) {
        const reference = parseReference(name);
        const repository = await registry.openRepository(reference, await access(reference.domain));
        const target = repositoryTarget(name, repository);
        for (const blob of index.blobs) await target.put(blob, signal);
        for (const manifest of index.manifests) await target.putManifest(manifest, { isTop: false, signal });
        await target.putManifest(index.manifest, { isTop, signal });
        onPush(name, told);
      }
      return told;
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
): Promise<DescribedIndex> {
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
        const target = contentTarget(new SessionContent(session, "export"));
        for (const blob of blobs) await target.put(blob, signal);
        await target.putManifest(index.manifest, { isTop: true, signal });
      }
      return { ...describe(index), ...(Object.keys(descriptor).length > 0 && { annotations: descriptor }) };
    },
  });
}

function describe({ manifest: { mediaType, digest, bytes } }: ImageIndex): DescribedIndex {
  return { mediaType, digest, size: bytes.length };
}
