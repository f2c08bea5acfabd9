import { formatFilters } from "@hawser/api";
import { formatHumanSize } from "../format/humanize.ts";
import { printLine, type Session } from "../session.ts";
import { confirm } from "./confirm.ts";

/**
 * Have the engine remove what is unused, after a word of warning, and tell what went and what that gave. The result is the
 * exit code: 1 when the user thinks better of it.
 *
 * @param options.listOf the lines of what is gone, with their heading; empty when nothing is
 */
export async function pruneObjects<Response extends { readonly SpaceReclaimed: number }>(
  session: Session,
  options: {
    readonly path: string;
    readonly filters: ReadonlyMap<string, readonly string[]>;
    /** Absent: the user does not want to be asked. */
    readonly warning?: string;
    readonly listOf: (response: Response) => readonly string[];
  },
): Promise<number> {
  if (options.warning !== undefined && !(await confirm(session, options.warning))) return 1;
  const client = await session.connect();
  const response = await client.json<Response>({
    method: "POST",
    path: options.path,
    query: { filters: formatFilters(options.filters) },
  });
  const lines = options.listOf(response);
  if (lines.length > 0) await printLine(session, `${lines.join("\n")}\n`);
  await printLine(session, `Total reclaimed space: ${formatHumanSize(response.SpaceReclaimed)}`);
  return 0;
}
