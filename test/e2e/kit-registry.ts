import { createHash } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type TarSource, writeTar } from "@hawser/base";
import { mediaTypes } from "@hawser/oci";
import type { FakeRegistry } from "@hawser/registry/testing";
import { findLayer } from "./kit-target.ts";

/** How the parts of an image are written down. */
export type ImageForm = "docker" | "oci" | "zstd" | "index";

/** An image that a registry was given. */
export interface PublishedImage {
  /** Of what the tag means: the index, where there is one. */
  readonly digest: string;
  readonly manifestDigest: string;
  readonly imageId: string;
  /** Digests of the layers' blobs, lowest first. */
  readonly layers: readonly string[];
}

export async function layerOf(files: Readonly<Record<string, string | Uint8Array>>): Promise<Buffer> {
  const sources = Object.entries(files).map(
    ([path, content]): TarSource => ({ path, type: "file", content: Buffer.from(content) }),
  );
  return Buffer.concat(await Array.fromAsync(writeTar(sources)));
}

let busybox: Promise<Buffer> | undefined;

/** The files of busybox, as a plain layer. */
export async function busyboxLayer(): Promise<Buffer> {
  busybox ??= findLayer("busybox").then((bytes) => Buffer.from(bytes));
  return await busybox;
}

/** Give a registry an image of plain layers, in one of the forms that images have. */
export function publishImage(
  registry: FakeRegistry,
  options: {
    readonly repository: string;
    readonly tag: string;
    readonly plainLayers: readonly Buffer[];
    readonly form?: ImageForm;
  },
): PublishedImage {
  const { repository, tag, plainLayers, form = "docker" } = options;
  const compress = form === "zstd" ? zstdCompressSync : (plain: Buffer) => gzipSync(plain, { level: 1 });
  const isDocker = form === "docker";
  const layers = plainLayers.map((plain) => {
    const bytes = compress(plain);
    const type = form === "zstd" ? mediaTypes.ociLayerZstd : mediaTypes.ociLayerGzip;
    return {
      mediaType: isDocker ? mediaTypes.dockerLayerGzip : type,
      digest: registry.addBlob(bytes),
      size: bytes.length,
    };
  });
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: { Cmd: ["sh"], Env: ["PATH=/bin"] },
      rootfs: { type: "layers", diff_ids: plainLayers.map(digestOf) },
    }),
  );
  const imageId = registry.addBlob(config);
  const manifest = {
    schemaVersion: 2,
    mediaType: isDocker ? mediaTypes.dockerManifest : mediaTypes.ociManifest,
    config: {
      mediaType: isDocker ? mediaTypes.dockerConfig : mediaTypes.ociConfig,
      digest: imageId,
      size: config.length,
    },
    layers,
  };
  const manifestDigest = registry.addManifest(repository, tag, manifest);
  const published = { manifestDigest, imageId, layers: layers.map(({ digest }) => digest) };
  if (form !== "index") return { ...published, digest: manifestDigest };
  const size = JSON.stringify(manifest).length;
  const describe = (digest: string, os: string, architecture: string) => ({
    mediaType: mediaTypes.ociManifest,
    digest,
    size,
    platform: { os, architecture },
  });
  const digest = registry.addManifest(repository, tag, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [
      // What is not there must not be asked for: another machine's image, and an attestation.
      describe(digestOf(Buffer.from("arm")), "linux", "arm64"),
      describe(manifestDigest, "linux", "amd64"),
      describe(digestOf(Buffer.from("attestation")), "unknown", "unknown"),
    ],
  });
  return { ...published, digest };
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
