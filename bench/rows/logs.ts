import { cpuSeconds } from "../memory.ts";
import type { Peer } from "../peer.ts";
import { type Row, type RowContext, timeCommand } from "../row.ts";
import { interleave, type Summary } from "../stats.ts";

const line = "a line of a program that has much to say, with a number 1234567890 and a word or two";
const bytes = 1e9;

/** One container that writes a gigabyte of lines, logged with rotation, until it has ended. */
export const logThroughput: Row = {
  name: "logs",
  title: "a container writes 1 GB of lines to its log (max-size 20m, max-file 5)",
  unit: "ms",
  goal: { subject: "hawser", over: { docker: 1.5 } },
  run: (context) => withWriter(context, ({ client }) => timeCommand([...client, ...writer])),
};

/** What that costs the engine itself. */
export const logEngineCpu: Row = {
  name: "logs-cpu",
  title: "processor time of the engine meanwhile",
  unit: "ms",
  goal: { subject: "hawser", most: 100 },
  run: (context) =>
    withWriter(context, (peer) => {
      const before = cpuSeconds(peer.engineProcesses());
      timeCommand([...peer.client, ...writer]);
      return (cpuSeconds(peer.engineProcesses()) - before) * 1000;
    }),
};

const limits = ["--log-driver", "json-file", "--log-opt", "max-size=20m", "--log-opt", "max-file=5"];
const script = `yes "${line}" | head -c ${bytes}`;
const writer = ["run", "--rm", "-a", "stderr", "--network", "none", ...limits, "idle", "sh", "-c", script];

function withWriter(
  { peers, rounds = 3, onFailure }: RowContext,
  measure: (peer: Peer) => number,
): Promise<Map<string, Summary>> {
  const engines = new Map([...peers].filter(([name]) => name === "docker" || name === "hawser"));
  return interleave(engines, { rounds: Math.min(rounds, 5), onFailure, measure });
}
