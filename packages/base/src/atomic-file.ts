import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Replace a file as a whole: readers see the old content or the new, never a part. Durable when it returns, unless
 * `durable` is false. A crash may leave `<name>.<random>.tmp` beside the file, or in `temporaryFolder` of the same file system.
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  options: { readonly mode?: number; readonly durable?: boolean; readonly temporaryFolder?: string } = {},
): Promise<void> {
  const folder = options.temporaryFolder ?? dirname(path);
  const temporary = join(folder, `${basename(path)}.${Math.random().toString(36).slice(2)}.tmp`);
  try {
    const file = await open(temporary, "wx", options.mode ?? 0o600);
    try {
      await file.writeFile(content);
      if (options.durable !== false) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  if (options.durable !== false) await syncFolder(dirname(path));
}

/** Make the names in a folder durable (after a create, rename or remove inside it). */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
