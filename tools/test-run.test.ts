import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { test } from "node:test";
import type { FileUsage } from "./test-run.ts";
import { root } from "./tree.ts";

test("counts passes, failures, skips, files that do not load and tests that never end", () => {
  const folder = mkdtempSync(join(tmpdir(), "hawser-runner-"));
  try {
    writeFileSync(
      join(folder, "a.mjs"),
      `import { test, describe } from "node:test";
       describe("suite", () => { test("passes", () => {}); test("skipped", { skip: "why" }, () => {}); test("red too", () => { throw new Error("also"); }); });
       test("fails", () => { throw new Error("red"); });
       test("is busy", () => { while (process.cpuUsage().user < 300_000); });`,
    );
    writeFileSync(join(folder, "b.mjs"), `import "./gone.mjs";`);
    writeFileSync(
      join(folder, "c.mjs"),
      `import { test } from "node:test"; test("hangs", () => new Promise((r) => setTimeout(r, 60000)));`,
    );
    const files = ["a.mjs", "b.mjs", "c.mjs"].map((name) => relative(root, join(folder, name)));
    const driver = join(folder, "driver.mjs");
    writeFileSync(
      driver,
      `import { openReport, runTests } from ${JSON.stringify(join(root, "tools/test-run.ts"))};
       const report = openReport();
       const limits = { testTimeoutMs: 2000, fileTimeoutMs: 9000, signal: new AbortController().signal };
       const [first, ...others] = ${JSON.stringify(files)};
       const counts = await runTests([[first], others], { concurrency: 3, report, ...limits });
       await report.close();
       console.log("COUNTS " + JSON.stringify({ ...counts, usage: [...counts.usage] }));`,
    );
    // A runner inside a test's process would take itself for one of the files it runs.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { stdout, stderr } = spawnSync(process.execPath, [driver], { encoding: "utf8", env });
    const counts = JSON.parse(/COUNTS (.*)/.exec(stdout)?.[1] ?? `"${stderr}"`) as Record<string, unknown>;
    assert.equal(counts["passed"], 2);
    // the two red ones, the file that does not load, the test that hangs, and its file, which does not end
    assert.equal(counts["failed"], 5);
    assert.deepEqual(counts["skipped"], ["suite > skipped"]);
    const [busy] = (counts["usage"] as [string, FileUsage][]).filter(([file]) => file.endsWith("a.mjs"));
    assert.ok((busy?.[1].cpuSeconds ?? 0) >= 0.3, JSON.stringify(busy));
    assert.match(stdout, /red/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
