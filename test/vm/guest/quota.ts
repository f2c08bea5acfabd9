import assert from "node:assert/strict";
import { test } from "node:test";
import type { Engine } from "./engine.ts";

/** Volumes with a size, where the data root is on a file system with project quotas. */
export function quotaTests(engine: Engine): void {
  const ok = (...args: readonly string[]) => engine.ok(...args);

  /** Kilobytes that fit into `/v`. */
  const fill = async (...flags: readonly string[]): Promise<number> => {
    const script = "dd if=/dev/zero of=/v/f bs=64k count=200 2>/dev/null; du -k /v/f | cut -f1; rm /v/f";
    const { stdout, stderr } = await engine.hawser("run", "--rm", ...flags, "busybox", "sh", "-c", script);
    assert.match(stdout, /^\d+\n$/, stderr);
    return Number(stdout);
  };

  test("a volume with a size holds no more, others hold what they like", async () => {
    await ok("volume", "create", "-o", "size=2m", "small");
    await ok("volume", "create", "-o", "size=4m", "larger");
    await ok("volume", "create", "free");
    const [small, larger, free] = [
      await fill("-v", "small:/v"),
      await fill("-v", "larger:/v"),
      await fill("-v", "free:/v"),
    ];
    assert.ok(small > 1500 && small <= 2048, `${small}`);
    assert.ok(larger > 3500 && larger <= 4096, `${larger}`);
    assert.equal(free, 12800);
  });

  test("the size outlives the engine, and holds for what an image or an archive brings", async () => {
    await engine.kill();
    await engine.start();
    const small = await fill("-v", "small:/v");
    assert.ok(small > 1500 && small <= 2048, `${small}`);
    await ok("volume", "rm", "small");
    await ok(
      "run",
      "--rm",
      "-v",
      "big:/v",
      "busybox",
      "sh",
      "-c",
      "dd if=/dev/zero of=/v/f bs=64k count=100 2>/dev/null",
    );
    const mount = "type=volume,dst=/etc,volume-opt=size=1m";
    assert.match(await ok("run", "--rm", "--mount", mount, "busybox", "ls", "/etc"), /passwd/);
    await ok("volume", "rm", "big", "larger", "free");
    assert.equal(await ok("volume", "ls", "-q"), "");
  });
}
