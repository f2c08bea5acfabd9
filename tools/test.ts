import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { availableParallelism } from "node:os";
import { relative } from "node:path";
import { parseArgs } from "node:util";
import { changesOf, type LeakScope, takeSnapshot } from "./test-leaks.ts";
import { openReport, runTests, type TestCounts } from "./test-run.ts";
import { judgeSkips, readKnownSkips } from "./test-skips.ts";
import { listFiles, requireTestPackages, root } from "./tree.ts";

/**
 * `node tools/test.ts <stage...> [--only <text>] [--leaks machine|run|off] [--fail-fast]`
 *
 * Runs stages in order (with `all`, unit tests beside native and root ones) and ends with `# pass N`, `# fail N` and
 * `N passed, N failed`; exit code 1 when a test failed, the machine is not as it was before, or (with CI=true) a test was
 * skipped that tools/known-skips.txt does not name.
 * `--only` keeps the files whose path contains the text.
 */
interface Stage {
  readonly wanted: (path: string) => boolean;
  readonly concurrency: number;
  /** Files that take minutes and keep a processor busy: they go one after the other, and all others beside them. */
  readonly long?: RegExp;
  /** Of the others those that take long go first, so that none is alone at the end. */
  readonly slow?: RegExp;
  readonly testTimeoutMs: number;
  readonly fileTimeoutMs: number;
  /** How many files may share a process: what one does at its top, as a hook for each test, it does to all. */
  readonly together?: number;
  /** Whether the machine must be compared before and after. */
  readonly touchesMachine: boolean;
}

const kinds = /\.(root|native|e2e)\.test\.ts$|\.e2e\.ts$/;

const stages: Readonly<Record<string, Stage>> = {
  unit: {
    wanted: (path) => path.endsWith(".test.ts") && !kinds.test(path),
    concurrency: availableParallelism(),
    testTimeoutMs: 60_000,
    fileTimeoutMs: 60_000,
    together: 8,
    touchesMachine: false,
  },
  native: {
    wanted: (path) => path.endsWith(".native.test.ts"),
    concurrency: 1,
    testTimeoutMs: 60_000,
    fileTimeoutMs: 300_000,
    touchesMachine: true,
  },
  root: {
    wanted: (path) => path.endsWith(".root.test.ts"),
    concurrency: 1,
    // In a network namespace of its own a file is one test.
    testTimeoutMs: 180_000,
    fileTimeoutMs: 180_000,
    touchesMachine: true,
  },
  e2e: {
    wanted: (path) => /\.e2e(\.test)?\.ts$/.test(path),
    // Each file has engines of its own: names, folders, networks. Two more than there are processors: many wait.
    concurrency: availableParallelism() + 2,
    long: /test\/vm\/|fresh-machine/,
    slow: /faults-(every-step|builds-steps|networks)|testcontainers|dockerfiles|registry-kinds|introduction/,
    testTimeoutMs: 900_000,
    fileTimeoutMs: 1_800_000,
    touchesMachine: true,
  },
};

/** With `all`, one after the other: lists of stages that run at the same time. Native and root tests share what only one may have. */
const rounds: readonly (readonly (readonly string[])[])[] = [[["unit"], ["native", "root"]], [["e2e"]]];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string" },
    leaks: { type: "string", default: "machine" },
    "fail-fast": { type: "boolean", default: false },
  },
});
const all = positionals.includes("all");
const names = all ? Object.keys(stages) : positionals;
const unknown = names.filter((name) => stages[name] === undefined);
if (names.length === 0 || unknown.length > 0) {
  console.error(`usage: node tools/test.ts all | ${Object.keys(stages).join(" | ")} ...`);
  process.exit(2);
}

requireTestPackages();

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupted.abort());

// Inherited by whatever a test starts: tells this run's processes from everybody else's.
const runId = randomUUID();
process.env["HAWSER_TEST_RUN"] = runId;
const scope = parseLeakScope(values.leaks);

const problems: string[] = [];
const total: TestCounts = { passed: 0, failed: 0, skipped: [], ran: [], usage: new Map() };
const started = performance.now();

if (all && spawnSync(process.execPath, ["tools/check.ts"], { cwd: root, stdio: "inherit" }).status !== 0) {
  problems.push("npm run check failed");
}
const before = takeSnapshot({ scope, runId });
const report = openReport();
for (const round of all ? rounds : names.map((name) => [[name]])) {
  if (interrupted.signal.aborted) break;
  const failedBefore = total.failed;
  round.flat().forEach(prepare);
  await Promise.all(round.map(runStages));
  const touching = round.flat().filter((name) => stages[name]?.touchesMachine);
  if (touching.length > 0) {
    const leaks = await changesOf(before, { scope, runId, deadlineMs: 10_000 });
    problems.push(...leaks.map((leak) => `left behind after ${touching.join(" and ")}: ${leak}`));
    if (leaks.length > 0) break;
  }
  if (total.failed > failedBefore && values["fail-fast"]) break;
}
await report.close();
if (interrupted.signal.aborted) problems.push("interrupted");
if (total.passed + total.failed === 0) problems.push("no test was found");

const complete = all && values.only === undefined;
problems.push(
  ...judgeSkips({ ...total, known: readKnownSkips(), strict: process.env["CI"] === "true", complete }),
);

console.log("");
for (const problem of problems) console.log(`FAIL ${problem}`);
console.log(`# pass ${total.passed}`);
console.log(`# fail ${total.failed}`);
console.log(`# skipped ${total.skipped.length}`);
console.log(
  `# duration ${((performance.now() - started) / 1000).toFixed(1)} s in ${relative(process.cwd(), root) || "."}`,
);
console.log(`${total.passed} passed, ${total.failed + problems.length} failed`);
process.exitCode = total.failed + problems.length > 0 ? 1 : 0;

function filesOf(name: string): string[] {
  return listFiles((path) => stages[name]?.wanted(path) === true && path.includes(values.only ?? ""));
}

/** Stages one after the other. */
async function runStages(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const stage = stages[name];
    const files = filesOf(name);
    if (stage === undefined || files.length === 0 || interrupted.signal.aborted) continue;
    const { long = /^$/, slow = /^$/ } = stage;
    const others = files.filter((file) => !long.test(file));
    const queues = [
      files.filter((file) => long.test(file)),
      [...others.filter((file) => slow.test(file)), ...others.filter((file) => !slow.test(file))],
    ] as const;
    console.log(`\n== ${name}: ${files.length} files`);
    const stageStarted = performance.now();
    const counts = await runTests(queues, { ...stage, report, signal: interrupted.signal });
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped.push(...counts.skipped);
    total.ran.push(...counts.ran);
    const took = ((performance.now() - stageStarted) / 1000).toFixed(1);
    const usage = [...counts.usage].toSorted(([, a], [, b]) => b.seconds - a.seconds);
    const busy = usage.reduce((sum, [, { cpuSeconds }]) => sum + cpuSeconds, 0);
    console.log(
      `== ${name}: ${counts.passed} passed, ${counts.failed} failed, ${took} s, ${busy.toFixed(0)} s of processors`,
    );
    for (const [file, { seconds, cpuSeconds }] of usage.slice(0, 30))
      console.log(
        `${seconds.toFixed(1).padStart(7)} s, ${cpuSeconds.toFixed(1).padStart(6)} s busy  ${file}`,
      );
  }
}

/**
 * What a stage's tests run: for the native ones, programs that stop at the first undefined behaviour or bad access; for the
 * end-to-end ones the bundles, as users have them.
 */
function prepare(stage: string): void {
  if (filesOf(stage).length === 0) return;
  if (stage === "native") make("make", ["-s", "-j2", "-C", "native", "all", "sanitize"]);
  if (stage !== "e2e") return;
  make(process.execPath, ["tools/build.ts"]);
  process.env["HAWSER_TEST_BUNDLES"] = "1";
}

function make(program: string, args: readonly string[]): void {
  const { status } = spawnSync(program, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) problems.push(`${args.join(" ")} failed`);
}

function parseLeakScope(text: string): LeakScope {
  if (text === "machine" || text === "run" || text === "off") return text;
  console.error(`Cannot use --leaks ${text}: machine, run or off was wanted`);
  process.exit(2);
}
