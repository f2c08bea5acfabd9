import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { pathToFileURL } from "node:url";
import { root } from "./tree.ts";

/** What became of the tests of one or more files. Suites are not counted. */
export interface TestCounts {
  passed: number;
  failed: number;
  /** Full names of the skipped tests ("suite > test"), todo ones included. */
  readonly skipped: string[];
  /** Full names of those that ran. */
  readonly ran: string[];
  /** What each file took, or files that shared a process. */
  readonly usage: Map<string, FileUsage>;
}

export interface FileUsage {
  readonly seconds: number;
  /** Of processors, the programs included that it waited for; 0 where it did not live to tell. */
  readonly cpuSeconds: number;
}

/** Node's spec reporter on standard output, for all files of a run. */
export interface TestReport {
  /** All events of one file. */
  write(events: readonly TestEvent[]): void;
  /** After the last file: it tells once more what failed. */
  close(): Promise<void>;
}

export interface TestLimits {
  readonly testTimeoutMs: number;
  readonly fileTimeoutMs: number;
  /** How many files may share a process, whose start costs more than most of them. Default: one. */
  readonly together?: number;
  readonly signal: AbortSignal;
}

type TestEvent = ReturnType<typeof run> extends AsyncIterable<infer Event> ? Event : never;

export function openReport(): TestReport {
  const report = new spec();
  report.pipe(process.stdout, { end: false });
  return {
    write(events) {
      for (const event of events) report.write(event);
    },
    async close() {
      const { promise: written, resolve } = Promise.withResolvers<void>();
      report.on("end", resolve);
      report.end();
      await written;
    },
  };
}

/**
 * Run test files, each (or some `together`) in a process of its own and reported as it ends. The first taker has the files of
 * the first queue one after the other, all further ones share the second; who finds nothing more in the own queue goes on with
 * the other. A test fails after `testTimeoutMs`; a file that fails to load, that is not over after `fileTimeoutMs` (something
 * was left open) or that `signal` stops counts as a failure.
 */
export async function runTests(
  queues: readonly [readonly string[], readonly string[]],
  options: TestLimits & { readonly concurrency: number; readonly report: TestReport },
): Promise<TestCounts> {
  const counts: TestCounts = { passed: 0, failed: 0, skipped: [], ran: [], usage: new Map() };
  const [first, second] = [[...queues[0]], [...queues[1]]];
  const folder = mkdtempSync(join(tmpdir(), "hawser-usage-"));
  const { together = 1, concurrency } = options;
  const take = (queue: string[]) =>
    queue.splice(0, Math.min(together, Math.ceil(queue.length / concurrency / 2)));
  const work = async (own: string[], other: string[]) => {
    for (;;) {
      const files = take(own.length > 0 ? own : other);
      const [head, ...more] = files;
      if (head === undefined) return;
      const events: TestEvent[] = [];
      const started = performance.now();
      for await (const event of runFiles(files, { ...options, folder })) events.push(event);
      const told = usageFile(folder, head);
      const cpuSeconds = existsSync(told) ? Number(readFileSync(told, "utf8")) : 0;
      const name = more.length === 0 ? head : `${head} and ${more.length} more`;
      counts.usage.set(name, { seconds: (performance.now() - started) / 1000, cpuSeconds });
      count(events, counts);
      options.report.write(events);
    }
  };
  const others = Array.from({ length: concurrency - 1 }, () => work(second, first));
  await Promise.all([work(first, second), ...others]);
  rmSync(folder, { recursive: true });
  return counts;
}

/**
 * All that the reporter shall see of files that share a process: everything but the runner's own totals. Their processor time
 * is in `usageFile` then.
 */
async function* runFiles(
  names: readonly string[],
  { folder, ...limits }: TestLimits & { readonly folder: string },
): AsyncGenerator<TestEvent, void> {
  const [first = ""] = names;
  const deadline = AbortSignal.timeout(limits.fileTimeoutMs * names.length);
  const signal = AbortSignal.any([limits.signal, deadline]);
  const timeout = limits.testTimeoutMs;
  const told = usageFile(folder, first);
  const files = [names.length === 1 ? join(root, first) : `${told}.mjs`];
  if (names.length > 1) {
    const imports = ["tools/test-together.mjs", ...names].map(
      (name) => `await import(${JSON.stringify(pathToFileURL(join(root, name)).href)});\n`,
    );
    writeFileSync(`${told}.mjs`, imports.join(""));
  }
  const execArgv = ["--import", pathToFileURL(join(root, "tools/test-process.mjs")).href];
  const env = { ...process.env, HAWSER_TEST_USAGE: told };
  for await (const event of run({ files, cwd: root, isolation: "process", execArgv, env, timeout, signal })) {
    if (event.type === "test:summary") continue;
    if (event.type === "test:diagnostic" && ownTotal.test(event.data.message)) continue;
    yield event;
  }
}

function usageFile(folder: string, first: string): string {
  return join(folder, first.replaceAll("/", "-"));
}

const ownTotal = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

function count(events: readonly TestEvent[], counts: TestCounts): void {
  const stack: string[] = [];
  for (const event of events) {
    if (event.type === "test:start") {
      stack.length = event.data.nesting;
      stack.push(event.data.name);
    }
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    const { details, nesting, skip, todo } = event.data;
    if (event.type === "test:fail" && isEcho(event.data.details.error)) continue;
    const name = [...stack.slice(0, nesting), event.data.name].join(" > ");
    if (isMarked(skip) || isMarked(todo)) counts.skipped.push(name);
    else if (event.type === "test:fail") counts.failed += 1;
    else if (details.type !== "suite") counts.passed += 1;
    counts.ran.push(...(isMarked(skip) || isMarked(todo) ? [] : [name]));
  }
}

/** A suite or test that failed only because one below it did. */
function isEcho(error: Error): boolean {
  return "failureType" in error && error.failureType === "subtestsFailed";
}

function isMarked(value: string | boolean | undefined): boolean {
  return value !== undefined && value !== false;
}
