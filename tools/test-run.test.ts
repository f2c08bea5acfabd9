import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { test } from "node:test";
import type { FileUsage } from "./test-run.ts";
import { root } from "./tree.ts";

test("counts passes, failures, skips, files that do not load and tests that never end", () => {
  const { counts, stdout } = runFiles(
    {
      "a.mjs": `import { test, describe } from "node:test";
       describe("suite", () => { test("passes", () => {}); test("skipped", { skip: "why" }, () => {}); test("red too", () => { throw new Error("also"); }); });
       test("fails", () => { throw new Error("red"); });
       test("is busy", () => { while (process.cpuUsage().user < 300_000); });`,
      "b.mjs": `import "./gone.mjs";`,
      "c.mjs": `import { test } from "node:test"; test("hangs", () => new Promise((r) => setTimeout(r, 60000)));`,
    },
    { concurrency: 3 },
  );
  assert.equal(counts["passed"], 2);
  // the two red ones, the file that does not load, the test that hangs, and its file, which does not end
  assert.equal(counts["failed"], 5);
  assert.deepEqual(counts["skipped"], ["suite > skipped"]);
  const [busy] = (counts["usage"] as [string, FileUsage][]).filter(([file]) => file.endsWith("a.mjs"));
  assert.ok((busy?.[1].cpuSeconds ?? 0) >= 0.3, JSON.stringify(busy));
  assert.match(stdout, /red/);
});

test("files that share a process are counted as if they did not, and the last ones have their own", () => {
  // For what does not hold a process.
  const waits =
    'import { test } from "node:test"; test("waits", (_, done) => AbortSignal.timeout(50).addEventListener("abort", () => done()));';
  const passes = 'import { test } from "node:test"; test(`in ${process.pid}`, () => {});';
  const fails = 'import { test } from "node:test"; test("red", () => { throw new Error("red"); });';
  const { counts } = runFiles(
    {
      "a.mjs": passes,
      "b.mjs": passes,
      "c.mjs": waits + passes.replace("import { test } from", "import"),
      "d.mjs": fails,
      "e.mjs": passes,
    },
    { concurrency: 1, together: 3 },
  );
  assert.deepEqual([counts["passed"], counts["failed"]], [5, 1]);
  const names = counts["ran"] as readonly string[];
  assert.equal(names.length, 6);
  assert.equal(new Set(names).size, 5, "two are of one process");
  assert.deepEqual(
    (counts["usage"] as [string, FileUsage][]).map(([file]) => file.slice(file.lastIndexOf("/") + 1)),
    ["a.mjs", "b.mjs and 1 more", "d.mjs", "e.mjs"],
  );
});

/** What the runner makes of files, by their names and texts. */
function runFiles(
  texts: Readonly<Record<string, string>>,
  options: { readonly concurrency: number; readonly together?: number },
): { readonly counts: Readonly<Record<string, unknown>>; readonly stdout: string } {
  const folder = mkdtempSync(join(tmpdir(), "hawser-runner-"));
  try {
    for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text);
    const files = Object.keys(texts).map((name) => relative(root, join(folder, name)));
    const driver = join(folder, "driver.mjs");
    writeFileSync(
      driver,
      `import { openReport, runTests } from ${JSON.stringify(join(root, "tools/test-run.ts"))};
       const report = openReport();
       const limits = { testTimeoutMs: 5000, fileTimeoutMs: 9000, signal: new AbortController().signal };
       const [first, ...others] = ${JSON.stringify(files)};
       const counts = await runTests([[first], others], { report, ...limits, ...${JSON.stringify(options)} });
       await report.close();
       console.log("COUNTS " + JSON.stringify({ ...counts, usage: [...counts.usage] }));`,
    );
    // A runner inside a test's process would take itself for one of the files it runs.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { stdout, stderr } = spawnSync(process.execPath, [driver], { encoding: "utf8", env });
    const counts = JSON.parse(/COUNTS (.*)/.exec(stdout)?.[1] ?? `"${stderr}"`) as Record<string, unknown>;
    return { counts, stdout };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
