import { shortId } from "./ellipsis.ts";
import { formatBinarySize, formatTableSize } from "./humanize.ts";
import type { ListLayout } from "./list-format.ts";

/** One line of `stats`. */
export interface StatsRow {
  /** As the user named it. */
  readonly container: string;
  readonly id: string;
  readonly name: string;
  /** Absent: the engine could not tell. */
  readonly usage?: ContainerUsage;
}

/** What a container uses now, and has moved so far. */
export interface ContainerUsage {
  readonly cpuPercent: number;
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly processCount: number;
}

/** What `stats` can show, with Docker's names and headers. */
export function statsLayout(options: { readonly truncate: boolean }): ListLayout<StatsRow> {
  const shown = (format: (usage: ContainerUsage) => string, unknown: string) => (row: StatsRow) =>
    row.usage === undefined ? unknown : format(row.usage);
  return {
    fields: {
      Container: { header: "CONTAINER", value: ({ container }) => container },
      Name: { header: "NAME", value: ({ name }) => name || "--" },
      ID: { header: "CONTAINER ID", value: ({ id }) => (options.truncate ? shortId(id) : id) },
      CPUPerc: { header: "CPU %", value: shown(({ cpuPercent }) => `${cpuPercent.toFixed(2)}%`, "--") },
      MemUsage: {
        header: "MEM USAGE / LIMIT",
        value: shown(
          (usage) => `${formatBinarySize(usage.memoryBytes)} / ${formatBinarySize(usage.memoryLimitBytes)}`,
          "-- / --",
        ),
      },
      MemPerc: { header: "MEM %", value: shown((usage) => `${memoryPercent(usage).toFixed(2)}%`, "--") },
      NetIO: {
        header: "NET I/O",
        value: shown(
          (usage) => `${formatTableSize(usage.receivedBytes)} / ${formatTableSize(usage.sentBytes)}`,
          "--",
        ),
      },
      BlockIO: {
        header: "BLOCK I/O",
        value: shown(
          (usage) => `${formatTableSize(usage.readBytes)} / ${formatTableSize(usage.writtenBytes)}`,
          "--",
        ),
      },
      PIDs: { header: "PIDS", value: shown(({ processCount }) => String(processCount), "--") },
    },
    typeName: "*container.statsContext",
    table:
      "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
  };
}

function memoryPercent({ memoryBytes, memoryLimitBytes }: ContainerUsage): number {
  return memoryLimitBytes === 0 ? 0 : (memoryBytes / memoryLimitBytes) * 100;
}
