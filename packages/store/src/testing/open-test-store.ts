import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { silentLogger } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import type { StoreLimits } from "../limits.ts";
import { Store } from "../store.ts";

export interface TestStore extends AsyncDisposable {
  readonly root: string;
  readonly store: Store;
  /** Close it and open it again, as the next engine does. */
  reopen(): Promise<Store>;
  /** What is below the root, as `content/sha256 3`: folder and number of names in it; only those with any. */
  counts(): Promise<Readonly<Record<string, number>>>;
}

/** A store in a folder of its own that goes with it. */
export async function openTestStore(limits: Partial<StoreLimits> = {}): Promise<TestStore> {
  const dir = await openTempDir();
  const now = () => new Date("2026-01-02T03:04:05Z");
  const open = () =>
    Store.open({
      root: dir.path,
      log: silentLogger,
      now,
      limits,
      platform: { os: "linux", architecture: "amd64" },
    });
  let store = await open();
  return {
    root: dir.path,
    get store() {
      return store;
    },
    async reopen() {
      await store[Symbol.asyncDispose]();
      store = await open();
      return store;
    },
    async counts() {
      const counts: Record<string, number> = {};
      for (const folder of ["content/sha256", "content/ingest", "layers/ingest", "layers", "snapshots"]) {
        const names = await readdir(join(dir.path, folder)).catch(() => []);
        const ours = names.filter((name) => name !== "ingest" && !(folder === "layers" && name === "0"));
        if (ours.length > 0) counts[folder] = ours.length;
      }
      return counts;
    },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}
