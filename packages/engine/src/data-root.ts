import { chmod, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { EngineConfig } from "./config/engine-config.ts";
import { configFaults } from "./config/faults.ts";

/** Make the folders that an engine's roots have from the beginning. */
export async function makeFolders({ dataRoot, execRoot }: EngineConfig): Promise<void> {
  for (const root of [dataRoot, execRoot]) {
    await mkdir(join(root, "containers"), { recursive: true, mode: 0o711 });
    await chmod(root, 0o711);
  }
}

/**
 * Docker's own engine keeps other things under the names of ours; what no record speaks of would be swept.
 *
 * @throws {Fault} `conflict`: the data root is another engine's
 */
export async function refuseForeignData(dataRoot: string): Promise<void> {
  const names: readonly string[] = await readdir(dataRoot).catch(() => []);
  if (names.includes("hawser.db")) return;
  if (names.some((name) => ["engine-id", "image", "buildkit", "swarm", "overlay2", "network"].includes(name)))
    throw configFaults.DATA_ROOT_TAKEN(dataRoot);
}
