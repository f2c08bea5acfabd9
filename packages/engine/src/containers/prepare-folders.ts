import { mkdir, rm } from "node:fs/promises";
import type { ChainId } from "@hawser/oci";
import { diskFault } from "@hawser/store";
import type { Collaborators } from "./collaborators.ts";
import type { ContainerId } from "./container-record.ts";
import { containerDirOf } from "./host.ts";

/** A writable layer to be. */
export interface WantedSnapshot {
  readonly key: string;
  readonly parent: ChainId | undefined;
}

/**
 * Make what a container lies on, before there is one: its writable layers and its folder. Disposal removes them, unless they were
 * moved out because there is one now.
 *
 * @throws {Fault} `not-found` for a layer below, `resource-exhausted` when the disk is full. Nothing stays behind.
 */
export async function prepareFolders(
  { snapshots, host }: Pick<Collaborators, "snapshots" | "host">,
  id: ContainerId,
  wanted: readonly WantedSnapshot[],
): Promise<AsyncDisposableStack> {
  await using made = new AsyncDisposableStack();
  const dir = containerDirOf(host, id);
  made.defer(() => rm(dir, { recursive: true, force: true }));
  for (const { key } of wanted) made.defer(() => snapshots.remove(key));
  const results = await Promise.allSettled([
    ...wanted.map(({ key, parent }) => snapshots.prepare(key, parent)),
    mkdir(dir, { recursive: true, mode: 0o710 }),
  ]);
  for (const result of results) {
    if (result.status === "rejected") throw diskFault(result.reason, host.dataRoot);
  }
  return made.move();
}
