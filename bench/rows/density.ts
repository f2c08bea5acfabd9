import { pssBytes, rssBytes } from "../memory.ts";
import type { Peer } from "../peer.ts";
import { type Row, type RowContext, timeCommand } from "../row.ts";
import { type Summary, summarize } from "../stats.ts";

const megabyte = 1e6;

/** Memory of the processes that stay beside each idle container, per container. */
export const helperMemory: Row = {
  name: "helper-memory",
  title: "helper processes per idle container, PSS",
  unit: "MB",
  goal: { subject: "hawser", most: 0.2 },
  run: (context) =>
    withIdleContainers(context, (peer) => pssBytes(peer.helperProcesses()) / megabyte / context.count),
};

/** Memory of the engine itself while many containers run. */
export const engineMemory: Row = {
  name: "engine-memory",
  title: "engine processes with 100 idle containers, RSS",
  unit: "MB",
  goal: { subject: "hawser", most: 150 },
  run: (context) => withIdleContainers(context, (peer) => rssBytes(peer.engineProcesses()) / megabyte),
};

async function withIdleContainers(
  context: RowContext,
  measure: (peer: Peer) => number,
): Promise<Map<string, Summary>> {
  const figures = new Map<string, Summary>();
  for (const [name, peer] of context.peers) {
    if (name === "hawser-cli" && context.peers.has("hawser")) continue;
    const started: string[] = [];
    try {
      for (let index = 0; index < context.count; index++) {
        const id = `bench-idle-${index}`;
        timeCommand([
          ...peer.client,
          "run",
          "-d",
          "--name",
          id,
          "--network",
          "none",
          "idle",
          "sleep",
          "1000000",
        ]);
        started.push(id);
      }
      figures.set(name, summarize([measure(peer)]));
    } catch (error) {
      context.onFailure(name, error);
      figures.set(name, summarize([Infinity]));
    } finally {
      if (started.length > 0) timeCommand([...peer.client, "rm", "-f", ...started]);
    }
  }
  return figures;
}
