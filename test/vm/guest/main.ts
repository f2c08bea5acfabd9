import { join } from "node:path";
import { run } from "node:test";
import { inspect } from "node:util";
import { formatReportLine, type ReportLine } from "../report.ts";

/** Runs the tests, which are bundled as `tests.js` beside it, and reports on standard output. */
const files = [join(import.meta.dirname, "tests.js")];

const suites: string[] = [];
for await (const event of run({ files, isolation: "none", concurrency: false })) {
  if (event.type === "test:start") {
    suites.length = event.data.nesting;
    suites.push(event.data.name);
  }
  if (event.type !== "test:pass" && event.type !== "test:fail") continue;
  const { details, name, nesting } = event.data;
  const error = event.type === "test:fail" ? event.data.details.error : undefined;
  if (details.type === "suite" && error === undefined) continue;
  write({
    kind: "test",
    name: [...suites.slice(0, nesting), name].join(" > "),
    durationMs: Math.round(details.duration_ms),
    ...(error !== undefined && { error: inspect(error.cause ?? error) }),
  });
}
write({ kind: "end" });

function write(line: ReportLine): void {
  process.stdout.write(`${formatReportLine(line)}\n`);
}
