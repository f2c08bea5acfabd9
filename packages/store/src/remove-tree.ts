import { randomUUID } from "node:crypto";
import { lstat, readdir, rename, rmdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "@hawser/base";

/** Beyond this a path comes too near to the kernel's 4096 bytes; folders that lie deeper are moved up first. */
const longPathBytes = 3000;

/**
 * Remove a file or folder with all that is in it, whatever a container did there: names that are not text, trees deeper
 * than a path can be. Links are removed, not followed. Nothing there is fine. Nobody else may be writing in it.
 */
export async function removeTree(path: string): Promise<void> {
  const top = Buffer.from(path);
  try {
    if (!(await lstat(top)).isDirectory()) return await unlink(top);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  await removeFolder(top, path);
}

async function removeFolder(folder: Buffer, top: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true, encoding: "buffer" });
  const pathOf = (name: Buffer) => Buffer.concat([folder, Buffer.from("/"), name]);
  await Promise.all(
    entries.filter((entry) => !entry.isDirectory()).map((entry) => unlink(pathOf(entry.name))),
  );
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    let path = pathOf(entry.name);
    if (path.length > longPathBytes) {
      const shorter = Buffer.from(join(top, randomUUID()));
      await rename(path, shorter);
      path = shorter;
    }
    await removeFolder(path, top);
  }
  await rmdir(folder);
}
