import { readTar, type TarSource, writeTar } from "@hawser/base";
import { mediaTypes, type Platform, parseDigest, parseReference } from "@hawser/oci";
import { formatPlatformIndex } from "../../images/push-index.ts";
import { buildFaults } from "../faults.ts";

/** An index of images, as an archive has it. */
export interface ArchivedIndex {
  readonly digest: string;
  readonly sizeBytes: number;
}

interface SavedIndex {
  readonly manifests: readonly {
    readonly digest: string;
    readonly mediaType: string;
    readonly size: number;
  }[];
}

/**
 * An archive of images, as `ImageStore.save` makes it, as one whose only entry is an index of them:
 *
 *     oci-layout  blobs/<algorithm>/<hex>: what there was, and the index  index.json
 *
 * @param options.platforms of the images, in their order
 * @param options.names of the index, with tags
 * @param options.onIndex told at the end
 */
export async function* indexArchive(
  archive: AsyncIterable<Uint8Array>,
  options: {
    readonly platforms: readonly Platform[];
    readonly names: readonly string[];
    readonly onIndex: (index: ArchivedIndex) => void;
  },
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* writeTar(entriesOf(archive, options));
}

async function* entriesOf(
  archive: AsyncIterable<Uint8Array>,
  { platforms, names, onIndex }: Parameters<typeof indexArchive>[1],
): AsyncGenerator<TarSource, void, undefined> {
  let saved: SavedIndex = { manifests: [] };
  for await (const { entry, data } of readTar(archive)) {
    const path = entry.path.toString();
    if (path === "index.json") {
      saved = JSON.parse(Buffer.concat(await Array.fromAsync(data)).toString()) as SavedIndex;
    } else if (path === "oci-layout" || path.startsWith("blobs/")) {
      const { sparse: _sparse, sizeBytes, ...kept } = entry;
      yield { ...kept, ...(entry.type === "file" && { content: { sizeBytes, open: () => data } }) };
    }
  }
  const images = platforms.map((platform, at) => {
    const manifest = saved.manifests[at];
    if (manifest === undefined) throw buildFaults.RESULT_EMPTY();
    const { digest: own, size: sizeBytes } = manifest;
    return { manifest: { ...manifest, digest: parseDigest(own), sizeBytes }, platform };
  });
  const { bytes, digest, mediaType } = formatPlatformIndex(images);
  yield { path: `blobs/${digest.replace(":", "/")}`, type: "file", content: bytes };
  const own = { mediaType, digest, size: bytes.length };
  const manifests =
    names.length === 0 ? [own] : names.map((name) => ({ ...own, annotations: namesOf(name) }));
  const top = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  yield { path: "index.json", type: "file", content: Buffer.from(JSON.stringify(top)) };
  onIndex({ digest, sizeBytes: bytes.length });
}

function namesOf(name: string): Readonly<Record<string, string>> {
  return {
    "io.containerd.image.name": name,
    "org.opencontainers.image.ref.name": parseReference(name).tag ?? "latest",
  };
}
