import { mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TarSource, writeTar } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { type UnpackedLayer, unpackLayer } from "../layers/unpack-layer.ts";
import { defaultStoreLimits, type StoreLimits } from "../limits.ts";

export interface TestLayer extends AsyncDisposable {
  /** What surrounds the layer's folder; nothing may appear in it. */
  readonly outside: string;
  readonly folder: string;
  readonly layer: UnpackedLayer;
}

/** Unpack entries, or an archive, as a layer into a folder of its own. Needs root. */
export async function unpackForTest(
  archive: readonly TarSource[] | Uint8Array,
  options: {
    readonly limits?: Partial<StoreLimits>;
    readonly inTwo?: boolean;
    readonly signal?: AbortSignal;
  } = {},
): Promise<TestLayer> {
  const dir = await openTempDir();
  try {
    const folder = join(dir.path, "layer");
    await mkdir(folder);
    const path = join(dir.path, "layer.tar");
    await writeFile(path, archive instanceof Uint8Array ? archive : await Array.fromAsync(writeTar(archive)));
    await using file = await open(path);
    const layer = await unpackLayer(file, {
      folder,
      limits: { ...defaultStoreLimits, ...options.limits },
      ...(options.inTwo !== undefined && { inTwo: options.inTwo }),
      ...(options.signal && { signal: options.signal }),
    });
    return { outside: dir.path, folder, layer, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
  } catch (error) {
    await dir[Symbol.asyncDispose]();
    throw error;
  }
}

export function file(path: string, content = "", more: Partial<TarSource> = {}): TarSource {
  return { path, type: "file", content: Buffer.from(content), ...more };
}

export function folder(path: string, more: Partial<TarSource> = {}): TarSource {
  return { path, type: "directory", ...more };
}
