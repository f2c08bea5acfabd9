import type { Row } from "./row.ts";
import type { Summary } from "./stats.ts";

/** One row's outcome, as in the JSON. */
export interface RowResult {
  readonly row: string;
  readonly title: string;
  readonly unit: string;
  readonly figures: Readonly<Record<string, Summary>>;
  /** How many times the peer's median is Hawser's; `null` where one of them is not there or failed. */
  readonly ratios: Readonly<Record<string, number | null>>;
  /** In words, with what was reached: "8x docker: 9.3x". */
  readonly goals: readonly { readonly goal: string; readonly reached: boolean | null }[];
}

export function judge(row: Row, figures: ReadonlyMap<string, Summary>): RowResult {
  const own = figures.get(row.goal.subject)?.median;
  const ratioTo = (peer: string): number | null => {
    const other = figures.get(peer)?.median;
    if (own === undefined || other === undefined || !Number.isFinite(own) || own === 0) return null;
    return other / own;
  };
  const goals: { goal: string; reached: boolean | null }[] = [];
  for (const [peer, factor] of Object.entries(row.goal.over ?? {})) {
    const ratio = ratioTo(peer);
    const words = factor >= 1 ? `${factor}x ${peer}` : `<= ${Math.round(1 / factor)}x ${peer}`;
    goals.push({ goal: words, reached: ratio === null ? null : ratio >= factor });
  }
  if (row.goal.most !== undefined) {
    goals.push({
      goal: `<= ${row.goal.most} ${row.unit}`,
      reached: own === undefined ? null : own <= row.goal.most,
    });
  }
  return {
    row: row.name,
    title: row.title,
    unit: row.unit,
    figures: Object.fromEntries(figures),
    ratios: Object.fromEntries(
      [...figures.keys()].filter((name) => name !== row.goal.subject).map((name) => [name, ratioTo(name)]),
    ),
    goals,
  };
}

/** Markdown: a line per row, a column per subject; `median (p95)`, and beside it how many times Hawser's it is. */
export function formatTable(results: readonly RowResult[]): string {
  const subjects = [...new Set(results.flatMap(({ figures }) => Object.keys(figures)))];
  const lines = [
    `| what | ${subjects.join(" | ")} | goal |`,
    `|---|${subjects.map(() => "---|").join("")}---|`,
  ];
  for (const result of results) {
    const cells = subjects.map((name) => {
      const figure = result.figures[name];
      if (figure === undefined) return "";
      const ratio = result.ratios[name];
      const times = typeof ratio === "number" ? `, ${ratio.toFixed(ratio < 10 ? 1 : 0)}x` : "";
      return `${formatFigure(figure, result.unit)}${times}`;
    });
    const goals = result.goals.map(({ goal, reached }) => {
      const mark = reached === null ? "?" : reached ? "reached" : "MISSED";
      return `${goal}: ${mark}`;
    });
    lines.push(`| ${result.title} | ${cells.join(" | ")} | ${goals.join("; ")} |`);
  }
  return lines.join("\n");
}

function formatFigure(figure: Summary, unit: string): string {
  if (!Number.isFinite(figure.median)) return "failed";
  const text = (value: number) => (Number.isFinite(value) ? value.toFixed(value < 10 ? 2 : 0) : "failed");
  if (figure.count === 1) return `${text(figure.median)} ${unit}`;
  return `${text(figure.median)} ${unit} (p95 ${text(figure.p95)})`;
}
