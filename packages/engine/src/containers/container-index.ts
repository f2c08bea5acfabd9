import type { ContainerTable } from "../state/container-table.ts";
import { Container } from "./container.ts";
import type { ContainerId, ContainerRecord } from "./container-record.ts";
import { containerFaults } from "./faults.ts";

/**
 * All containers, by id, id prefix and name; the only writer of their table. What it holds in memory and what the
 * database holds are the same, but for changes that can be told again after a crash (`later`): those are
 * written together, at the end of the event loop's turn, and not at all when the container is gone by then.
 */
export class ContainerIndex {
  readonly #table: Pick<ContainerTable, "list" | "put" | "remove">;
  readonly #byId = new Map<ContainerId, Container>();
  readonly #idByName = new Map<string, ContainerId>();
  /** Containers whose rows are behind. */
  readonly #behind = new Set<Container>();
  #scheduled: NodeJS.Immediate | undefined;
  #namesVersion = 0;

  constructor(table: Pick<ContainerTable, "list" | "put" | "remove">) {
    this.#table = table;
    for (const record of table.list()) this.#hold(new Container(record));
  }

  /**
   * The container that a user means by an id, a name (with or without leading slash) or the start of an id.
   * @throws {Fault} `not-found`, or `invalid-argument` when a prefix fits several.
   */
  resolve(nameOrId: string): Container {
    const found = this.find(nameOrId);
    if (found === undefined) throw containerFaults.NO_SUCH_CONTAINER(nameOrId);
    return found;
  }

  /** As `resolve`, but `undefined` when there is none. */
  find(nameOrId: string): Container | undefined {
    const id = this.#byId.has(nameOrId as ContainerId)
      ? nameOrId
      : this.#idByName.get(nameOrId.replace(/^\//, ""));
    if (id !== undefined) return this.#byId.get(id as ContainerId);
    if (!/^[0-9a-f]+$/.test(nameOrId)) return undefined;
    const fitting = [...this.#byId.values()].filter((container) => container.id.startsWith(nameOrId));
    if (fitting.length > 1) throw containerFaults.CONTAINER_ID_AMBIGUOUS(nameOrId);
    return fitting[0];
  }

  /** Another number whenever a container's name or place on a network has changed. */
  get namesVersion(): number {
    return this.#namesVersion;
  }

  /** Newest first. */
  list(): Container[] {
    return [...this.#byId.values()].toSorted((a, b) => b.record.createdAtMs - a.record.createdAtMs);
  }

  /**
   * Add a new container.
   * @throws {Fault} `conflict` when its name is taken.
   */
  add(record: ContainerRecord): Container {
    this.#requireFreeName(record.name);
    this.#table.put(record, { durable: !record.hostConfig.autoRemove });
    return this.#hold(new Container(record));
  }

  /**
   * Change a record. When this returns the change outlives the engine, and with `durable` (unless the container removes
   * itself at its end) the machine. `later`: neither, yet; for what a monitor can tell again.
   */
  update(
    container: Container,
    change: Partial<Omit<ContainerRecord, "id">>,
    { durable = true, later = false }: { readonly durable?: boolean; readonly later?: boolean } = {},
  ): void {
    const before = container.record;
    const record = { ...before, ...change };
    if (record.name !== before.name) this.#requireFreeName(record.name);
    if (later) {
      this.#writeLater(container);
    } else {
      this.#table.put(record, { durable: durable && !record.hostConfig.autoRemove });
      this.#behind.delete(container);
    }
    container.record = record;
    if ("attachments" in change || "name" in change) this.#namesVersion += 1;
    if (record.name !== before.name) {
      this.#idByName.delete(before.name);
      this.#idByName.set(record.name, record.id);
    }
  }

  remove(container: Container): void {
    this.#behind.delete(container);
    this.#table.remove(container.id, { durable: !container.record.hostConfig.autoRemove });
    this.#byId.delete(container.id);
    this.#idByName.delete(container.record.name);
    this.#namesVersion += 1;
  }

  /** Write what has been put off. What cannot be written stays put off. */
  flush(): void {
    for (const container of this.#behind) {
      this.#table.put(container.record, { durable: false });
      this.#behind.delete(container);
    }
  }

  #writeLater(container: Container): void {
    this.#behind.add(container);
    if (this.#scheduled !== undefined) return;
    this.#scheduled = setImmediate(() => {
      this.#scheduled = undefined;
      try {
        this.flush();
      } catch {
        // A full disk: tried again with the next change, and what a monitor can tell again is not lost before.
      }
    });
  }

  #requireFreeName(name: string): void {
    const holder = this.#idByName.get(name);
    if (holder !== undefined) throw containerFaults.CONTAINER_NAME_TAKEN(name, holder);
  }

  #hold(container: Container): Container {
    this.#byId.set(container.id, container);
    this.#idByName.set(container.record.name, container.id);
    return container;
  }
}
