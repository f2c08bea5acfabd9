import { createHash } from "node:crypto";
import { type TarSource, writeTar } from "@hawser/base";
import { type ImageArchive, writeImageArchive } from "../archive/write-image-archive.ts";
import type { LoadEvent } from "../images/image-requests.ts";
import type { Store } from "../store.ts";

/** An image whose configuration differs by `label`. */
export function testImage(
  reference: string,
  label: string,
  layers: readonly (readonly TarSource[])[] = [],
): ImageArchive {
  return {
    reference,
    config: {
      os: "linux",
      architecture: "amd64",
      created: new Date("2025-01-01T00:00:00Z"),
      execution: {
        user: "",
        exposedPorts: [],
        env: ["PATH=/bin"],
        cmd: ["sh"],
        volumes: [],
        workingDir: "",
        labels: { label },
        stopSignal: "",
      },
      history: [],
    },
    layers: layers.map((entries) => ({ entries })),
  };
}

export async function loadImage(store: Store, image: ImageArchive): Promise<readonly LoadEvent[]> {
  return await Array.fromAsync(store.maker.load(writeImageArchive(image)));
}

/** What `docker save` of any age could have made, or someone who means ill. */
export function dockerArchive(
  files: Readonly<Record<string, string | Uint8Array>>,
): AsyncIterable<Uint8Array> {
  const entries = Object.entries(files).map(
    ([path, content]): TarSource => ({ path, type: "file", content: Buffer.from(content) }),
  );
  return writeTar(entries);
}

export async function tarOf(entries: readonly TarSource[]): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(writeTar(entries)));
}

export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** The configuration of an image with these layers' digests. */
export function configJson(diffIds: readonly string[], more: object = {}): string {
  return JSON.stringify({
    architecture: "amd64",
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: diffIds },
    ...more,
  });
}
