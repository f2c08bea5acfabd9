import { DatabaseSync } from "node:sqlite";
import type { ContainerRecord } from "../containers/container-record.ts";
import type { NetworkRecord } from "../networks/network-record.ts";

/** What the state database at `path` holds at this moment, which stays another process' to change. */
export function readState(path: string): {
  readonly containers: readonly ContainerRecord[];
  readonly networks: readonly NetworkRecord[];
} {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const read = (table: "containers" | "networks") =>
      database
        .prepare(`SELECT record FROM ${table}`)
        .all()
        .map((row) => JSON.parse(String(row["record"])) as unknown);
    return {
      containers: read("containers") as ContainerRecord[],
      networks: read("networks") as NetworkRecord[],
    };
  } finally {
    database.close();
  }
}
