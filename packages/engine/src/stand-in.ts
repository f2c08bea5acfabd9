import { randomBytes } from "node:crypto";
import { closeSync, existsSync } from "node:fs";
import { textLogger } from "@hawser/base";
import { ContainerIndex } from "./containers/container-index.ts";
import { ContainerNames } from "./networks/container-names.ts";
import { isPredefined } from "./networks/network-record.ts";
import { readState } from "./state/read-state.ts";

/** How often it is looked which containers have ended: nobody tells. */
const lookMs = 10_000;

/**
 * Answers names while no engine runs: what the keeper of name servers' sockets becomes. What they are is on disk, where nobody
 * changes it meanwhile. It ends when the next engine says so (SIGTERM), or with the last container.
 *
 *     stand-in <state database> <name servers, with commas> [<container>:<UDP socket>:<TCP socket>]...
 */
async function standIn([database = "", servers = "", ...held]: readonly string[]): Promise<void> {
  const write = (line: string) => void process.stderr.write(`${line}\n`);
  const log = textLogger({ level: "info", write, now: () => new Date() });
  const { containers, networks } = readState(database);
  const index = new ContainerIndex({ list: () => [...containers], put: () => {}, remove: () => {} });
  const find = (wanted: string) =>
    networks.find(({ id, name }) => id === wanted || name === wanted) ??
    (isPredefined(wanted) ? { internal: false } : undefined);
  const names = new ContainerNames({
    index,
    networks: { find },
    servers: servers.split(",").filter((server) => server !== ""),
    randomBytes,
    log,
  });
  for (const text of held) {
    const [id = "", udp, tcp] = text.split(":");
    const sockets = [Number(udp), Number(tcp)] as const;
    const record = index.find(id)?.record;
    try {
      if (record !== undefined && (await names.adopt(record, sockets))) continue;
      for (const fd of sockets) closeSync(fd);
    } catch (error) {
      log.warn("cannot serve names to a container", { container: id, error });
    }
  }
  log.info("names are answered while no engine runs", { containers: names.served.length });
  const look = () => {
    for (const id of names.served) {
      const { pid } = index.resolve(id).record.state;
      if (!existsSync(`/proc/${pid}`)) names.release(id);
    }
    if (names.served.length === 0) process.exit(0);
  };
  setInterval(look, lookMs);
  look();
}

// What has been asked until now is read before.
process.on("SIGTERM", () => setImmediate(() => setImmediate(() => process.exit(0))));
process.stderr.on("error", () => {});
await standIn(process.argv.slice(2));
