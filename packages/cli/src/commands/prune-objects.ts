import type { BuildPruneResponse, ImageDeleteItem, VolumePruneResponse } from "@hawser/api";
import { formatFilters } from "@hawser/api";
import { formatHumanSize } from "../format/humanize.ts";
import { printLine, type Session } from "../session.ts";
import { confirm } from "./confirm.ts";

/** A kind of thing that can be unused, and how the engine is asked to remove those. */
export interface Prune<Response = never> {
  readonly path: string;
  /** The lines of what is gone, with their heading; empty when nothing is. */
  readonly listOf: (response: Response) => readonly string[];
}

interface Reclaimed {
  readonly SpaceReclaimed?: number;
}

export const prunes = {
  containers: {
    path: "/containers/prune",
    listOf: ({ ContainersDeleted }: { readonly ContainersDeleted: readonly string[] | null }) =>
      listed("Deleted Containers:", ContainersDeleted),
  },
  networks: {
    path: "/networks/prune",
    listOf: ({ NetworksDeleted }: { readonly NetworksDeleted: readonly string[] | null }) =>
      listed("Deleted Networks:", NetworksDeleted),
  },
  volumes: {
    path: "/volumes/prune",
    listOf: ({ VolumesDeleted }: VolumePruneResponse) => listed("Deleted Volumes:", VolumesDeleted),
  },
  images: {
    path: "/images/prune",
    listOf: ({ ImagesDeleted }: { readonly ImagesDeleted: readonly ImageDeleteItem[] | null }) =>
      listed(
        "Deleted Images:",
        (ImagesDeleted ?? []).map((item) =>
          "Untagged" in item ? `untagged: ${item.Untagged}` : `deleted: ${item.Deleted}`,
        ),
      ),
  },
  buildCache: {
    path: "/build/prune",
    listOf: ({ CachesDeleted }: BuildPruneResponse) => listed("Deleted build cache objects:", CachesDeleted),
  },
} as const;

function listed(heading: string, items: readonly string[] | null): readonly string[] {
  return items === null || items.length === 0 ? [] : [heading, ...items];
}

/** Have the engine remove what is unused of a kind, tell what went, and give the bytes that came free. */
export async function prune<Response extends object>(
  session: Session,
  { path, listOf }: Prune<Response>,
  options: {
    readonly filters: ReadonlyMap<string, readonly string[]>;
    readonly query?: Readonly<Record<string, boolean | number | undefined>>;
  },
): Promise<number> {
  const client = await session.connect();
  const response = await client.json<Response & Reclaimed>({
    method: "POST",
    path,
    query: { ...options.query, filters: formatFilters(options.filters) },
  });
  const lines = listOf(response);
  if (lines.length > 0) await printLine(session, `${lines.join("\n")}\n`);
  return response.SpaceReclaimed ?? 0;
}

export async function printReclaimed(session: Session, bytes: number): Promise<void> {
  await printLine(session, `Total reclaimed space: ${formatHumanSize(bytes)}`);
}

/**
 * Prune one kind, after a word of warning, and tell what that gave. The result is the exit code: that the user thought better of
 * it is no failure.
 */
export async function pruneObjects<Response extends object>(
  session: Session,
  kind: Prune<Response>,
  options: {
    readonly filters: ReadonlyMap<string, readonly string[]>;
    /** Absent: the user does not want to be asked. */
    readonly warning?: string;
  },
): Promise<number> {
  if (options.warning !== undefined && !(await confirm(session, options.warning))) return 0;
  await printReclaimed(session, await prune(session, kind, options));
  return 0;
}
