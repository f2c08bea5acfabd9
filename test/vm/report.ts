/**
 * What a machine says on its second serial port, a line of JSON each: one `test` line as each test ends, one `end` line when
 * all have. A machine that stops without `end` has crashed.
 */
export type ReportLine =
  | {
      readonly kind: "test";
      /** With the names of the suites around it. */
      readonly name: string;
      readonly durationMs: number;
      /** Why it failed; absent when it passed. */
      readonly error?: string;
    }
  | { readonly kind: "end" };

/** @throws {Error} for a line that is not of this format. */
export function parseReportLine(text: string): ReportLine {
  const line: unknown = JSON.parse(text);
  if (typeof line !== "object" || line === null || !("kind" in line)) throw notAReport(text);
  if (line.kind === "end") return { kind: "end" };
  if (line.kind !== "test" || !("name" in line) || !("durationMs" in line)) throw notAReport(text);
  const { name, durationMs } = line;
  const error = "error" in line ? line.error : undefined;
  if (typeof name !== "string" || typeof durationMs !== "number") throw notAReport(text);
  return { kind: "test", name, durationMs, ...(typeof error === "string" && { error }) };
}

export function formatReportLine(line: ReportLine): string {
  return JSON.stringify(line);
}

function notAReport(text: string): Error {
  return new Error(`Cannot read the machine's report: ${text}`);
}
