import { runCommandOk } from "../../test/e2e/kit-process.ts";
import { serversArchive } from "../../test/images/debian.ts";
import type { Peer } from "../peer.ts";
import { type Row, type RowContext, timeCommand } from "../row.ts";
import { interleave, type Summary } from "../stats.ts";

const name = "bench-network";
const published = ["-p", "127.0.0.1:20000-20199:1000-1199"];

/** What 200 published ports add to a start: each round starts a container with and one without. */
export const publishedPorts: Row = {
  name: "ports-200",
  title: "`start` with 200 published ports, less one without",
  unit: "ms",
  goal: { subject: "hawser", most: 100 },
  run: ({ peers, rounds = 5, onFailure }) =>
    interleave(engines(peers), {
      rounds,
      onFailure,
      measure: ({ client }) => {
        const start = (...ports: readonly string[]) => {
          timeCommand([...client, "create", "--name", name, ...ports, "idle", "sleep", "1000000"]);
          try {
            return timeCommand([...client, "start", name], { timeoutMs: 120_000 });
          } finally {
            timeCommand([...client, "rm", "-f", name], { timeoutMs: 120_000 });
          }
        };
        const plain = start();
        return start(...published) - plain;
      },
    }),
};

/** A bridge, its subnet and rules. */
export const createNetwork: Row = {
  name: "network-create",
  title: "`network create`",
  unit: "ms",
  goal: { subject: "hawser", over: { docker: 1 } },
  run: ({ peers, rounds = 10, onFailure }) =>
    interleave(engines(peers), {
      rounds,
      onFailure,
      measure: ({ client }) => {
        const took = timeCommand([...client, "network", "create", name]);
        timeCommand([...client, "network", "rm", name]);
        return took;
      },
    }),
};

const image = "bench-servers";
const bytes = "4G";

/** From one container to another on the same bridge. */
export const throughputBetween: Row = {
  name: "throughput-between",
  title: `${bytes} of TCP from a container to another`,
  unit: "ms",
  goal: { subject: "hawser", over: { docker: 1 } },
  run: (context) => measureThroughput(context, ({ address }) => ({ network: [], to: ["-c", address] })),
};

/** From the host, by its address on the bridge: what the rules translate, not what a proxy of docker's passes on. */
export const throughputPublished: Row = {
  name: "throughput-published",
  title: `${bytes} of TCP through a published port`,
  unit: "ms",
  goal: { subject: "hawser", over: { docker: 1 } },
  run: (context) =>
    measureThroughput(context, ({ gateway }) => ({
      network: ["--network", "host"],
      to: ["-c", gateway, "-p", "20201"],
    })),
};

/**
 * The time in which iperf3's server has received all, as it says itself. Either side has a processor of its own: where the
 * scheduler puts them makes more of a difference than all else.
 */
async function measureThroughput(
  { peers, rounds = 5, onFailure }: RowContext,
  clientOf: (server: { readonly address: string; readonly gateway: string }) => {
    readonly network: readonly string[];
    readonly to: readonly string[];
  },
): Promise<Map<string, Summary>> {
  const archive = await serversArchive();
  const subjects = engines(peers);
  for (const { client } of subjects.values())
    timeCommand([...client, "import", archive, image], { timeoutMs: 300_000 });
  try {
    return await interleave(subjects, {
      rounds,
      onFailure,
      measure: async ({ client }) => {
        const run = (...args: readonly string[]) =>
          runCommandOk([...client, ...args], { timeoutMs: 120_000 });
        const server = ["--cpuset-cpus", "1", "-p", "20201:5201"];
        await run("run", "-d", "--name", name, ...server, image, "iperf3", "-s");
        try {
          const place = "{{.NetworkSettings.IPAddress}} {{.NetworkSettings.Gateway}}";
          const [address = "", gateway = ""] = (await run("inspect", "-f", place, name)).trim().split(" ");
          const { network, to } = clientOf({ address, gateway });
          const sender = ["run", "--rm", "--cpuset-cpus", "0", ...network, image];
          const told = await run(...sender, "iperf3", ...to, "-n", bytes, "--json");
          const { end } = JSON.parse(told) as {
            readonly end: { readonly sum_received: { readonly seconds: number } };
          };
          return end.sum_received.seconds * 1000;
        } finally {
          await run("rm", "-f", name);
        }
      },
    });
  } finally {
    for (const { client } of subjects.values()) timeCommand([...client, "rmi", "-f", image]);
  }
}

/** Both of Hawser's columns are one engine; what it does is the same for either. */
function engines(peers: ReadonlyMap<string, Peer>): ReadonlyMap<string, Peer> {
  return new Map([...peers].filter(([peer]) => peer !== "hawser-cli"));
}
