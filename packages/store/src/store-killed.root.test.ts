import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "@hawser/base/testing";
import { parseDigest } from "@hawser/oci";
import { openTestStore } from "./testing/open-test-store.ts";

/** Start a process that changes the store all the time and kill it so long after its first sign of life. */
async function runAndKill(root: string, afterMs: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "testing/load-forever.ts"), root], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  const { promise: alive, resolve } = Promise.withResolvers<void>();
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (line) => {
    lines.push(line);
    resolve();
  });
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  reader.on("close", close);
  await alive;
  // Not waiting for anything: the moment of death is what varies.
  await delay(afterMs);
  child.kill("SIGKILL");
  await closed;
  return lines;
}

test("a store opens whole after kill -9 at any moment, with all that was acknowledged", async () => {
  await using test = await openTestStore();
  for (let round = 0; round < 12; round++) {
    await test.store[Symbol.asyncDispose]();
    const lines = await runAndKill(test.root, round * 37);
    const { images, snapshots } = await test.reopen();
    const last = lines
      .filter((line) => line.startsWith("loaded "))
      .at(-1)
      ?.slice("loaded ".length);
    assert.ok(last === undefined || images.list().some(({ id }) => id === last), `lost ${last}`);
    for (const image of images.list()) {
      assert.equal((await test.store.content.get(parseDigest(image.id))).digest, image.id);
      const folders = snapshots.lowerFolders(image.chainId);
      assert.equal(folders.length, 2);
      assert.equal(readFileSync(join(folders[1] ?? "", "shared"), "utf8").length, 100_000);
      assert.equal(readdirSync(folders[0] ?? "").length, 1);
    }
    for (const key of snapshots.list()) assert.deepEqual(readdirSync(snapshots.get(key).upper), []);
    const layers = new Set(snapshots.list().flatMap((key) => snapshots.get(key).lower));
    for (const image of images.list())
      for (const folder of snapshots.lowerFolders(image.chainId)) layers.add(folder);
    await eventually(async () => {
      const counts = await test.counts();
      assert.deepEqual(
        {
          ingest: [counts["content/ingest"], counts["layers/ingest"]],
          layers: counts["layers"] ?? 0,
          snapshots: counts["snapshots"] ?? 0,
        },
        { ingest: [undefined, undefined], layers: layers.size, snapshots: snapshots.list().length },
      );
      return true;
    });
  }
});
