import type { Container } from "./container.ts";
import type { ContainerIndex } from "./container-index.ts";
import { isRunning } from "./container-record.ts";

export interface ListOptions {
  /** Also those that do not run. A limit or a filter by status means all. */
  readonly all: boolean;
  /** The newest so many. */
  readonly limit?: number;
  readonly filter: ContainerFilter;
}

/** What a user asks `ps` for. */
export interface ContainerFilter {
  readonly matches: (container: Container) => boolean;
  /** The filter speaks of containers that may not run. */
  readonly anyStatus: boolean;
}

/** Containers, newest first. */
export function listContainers(index: ContainerIndex, options: ListOptions): Container[] {
  const all = options.all || options.limit !== undefined || options.filter.anyStatus;
  const found = index
    .list()
    .filter((container) => (all || isRunning(container.record)) && options.filter.matches(container));
  return options.limit === undefined ? found : found.slice(0, options.limit);
}
