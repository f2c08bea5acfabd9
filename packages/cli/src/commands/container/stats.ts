import { setTimeout as delay } from "node:timers/promises";
import type { ContainerSummary, EventMessage } from "@hawser/api";
import { formatFilters } from "@hawser/api";
import { type EngineClient, splitJson } from "@hawser/api/client";
import { defineCommand } from "../../command.ts";
import { boolFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { formatList } from "../../format/list-format.ts";
import { statsLayout } from "../../format/stats-fields.ts";
import { warnLine, write } from "../../session.ts";
import { UsageBoard } from "../../stats/usage-board.ts";
import { formatUsage } from "../format-usage.ts";

const redrawMs = 500;

export const command = defineCommand({
  usage: "[OPTIONS] [CONTAINER...]",
  flags: {
    all: boolFlag("Show all containers (default shows just running)", { short: "a" }),
    format: stringFlag(formatUsage({ table: true })),
    "no-stream": boolFlag("Disable streaming stats and only pull the first result"),
    "no-trunc": boolFlag("Do not truncate output"),
  },
  arguments: { min: 0 },
  async run({ flags, args, session }) {
    const once = flags["no-stream"];
    const layout = statsLayout({ truncate: !flags["no-trunc"] });
    const format = flags.format || session.config().statsFormat || "table";
    const client = await session.connect();
    using stop = new AbortOnDispose();
    const board = new UsageBoard(client, { signal: stop.signal });
    const scope = { all: flags.all, once, signal: stop.signal };
    // Before the list: what starts meanwhile is not missed.
    const changes = args.length > 0 || once ? undefined : followContainers(client, board, scope);
    const names = args.length > 0 ? args : await listContainers(client, flags.all);
    await Promise.all(names.map((name) => board.add(name, { once })));
    if (board.failures.length > 0 && args.length > 0) {
      for (const { message } of board.failures) await warnLine(session, message);
      return 1;
    }
    for (;;) {
      const text = formatList(board.rows, layout, format);
      await write(session.stdout, once ? text : overwriting(text));
      if (once || (args.length > 0 && board.rows.length === 0)) return 0;
      if (changes === undefined) await delay(redrawMs);
      else if ((await Promise.race([changes, delay(redrawMs, "drawn" as const)])) !== "drawn") return 0;
    }
  },
});

class AbortOnDispose extends AbortController {
  [Symbol.dispose](): void {
    this.abort();
  }
}

/** From the screen's first line on, each line to its end, then nothing. */
function overwriting(text: string): string {
  return `\x1b[H${text.replaceAll("\n", "\x1b[K\n")}\x1b[J`;
}

async function listContainers(client: EngineClient, all: boolean): Promise<readonly string[]> {
  const list = await client.json<readonly ContainerSummary[]>({
    method: "GET",
    path: "/containers/json",
    query: { all: all || undefined },
  });
  return list.map(({ Id }) => Id);
}

/** Ends when the engine does. */
async function followContainers(
  client: EngineClient,
  board: UsageBoard,
  scope: { readonly all: boolean; readonly once: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const comes = scope.all ? "create" : "start";
  const goes = scope.all ? "destroy" : "die";
  try {
    const { body } = await client.send({
      method: "GET",
      path: "/events",
      query: {
        filters: formatFilters(
          new Map([
            ["type", ["container"]],
            ["event", [comes, goes]],
          ]),
        ),
      },
      signal: scope.signal,
    });
    for await (const text of splitJson(body)) {
      const { Action, Actor } = JSON.parse(text) as EventMessage;
      const id = Actor.ID;
      if (Action === comes) void board.add(id, scope);
      else board.remove(id);
    }
  } catch (error) {
    if (!scope.signal.aborted) throw error;
  }
}
