import { performance } from "node:perf_hooks";
import { openApiClient } from "../api.ts";
import type { Peer } from "../peer.ts";
import { type Row, type RowContext, timeCommand } from "../row.ts";
import { interleave, type Summary } from "../stats.ts";

const listed = 500;
const restarted = 300;

/** The list of many containers, none of which runs, as the client shows it. */
export const listCli: Row = {
  name: "ps-cli",
  title: `\`ps -a\` with ${listed} containers`,
  unit: "ms",
  goal: { subject: "hawser-cli", over: { docker: 5 } },
  run: (context) =>
    withContainers(context, { count: listed, start: false }, (peers) =>
      interleave(peers, {
        rounds: context.rounds ?? 10,
        onFailure: context.onFailure,
        measure: ({ client }) => timeCommand([...client, "ps", "-a"], { expected: /bench-many-499/ }),
      }),
    ),
};

/** The same over the API. */
export const listApi: Row = {
  name: "ps-api",
  title: `\`GET /containers/json\` with ${listed} containers`,
  unit: "ms",
  goal: { subject: "hawser", over: { docker: 10 } },
  run: (context) =>
    withContainers(context, { count: listed, start: false }, async (peers) => {
      await using clients = new AsyncDisposableStack();
      const subjects = new Map(
        [...peers].flatMap(([name, { socket }]) =>
          socket === undefined || name === "hawser-cli" ? [] : [[name, clients.use(openApiClient(socket))]],
        ),
      );
      return await interleave(subjects, {
        rounds: context.rounds ?? 30,
        onFailure: context.onFailure,
        async measure(api) {
          const started = performance.now();
          const list = await api.list();
          const took = performance.now() - started;
          if (countOf(list) < listed) throw new Error("containers are missing");
          return took;
        },
      });
    }),
};

/** Removal of many running containers with one command. */
export const removeRunning: Row = {
  name: "rm-running",
  title: "`rm -f` of running containers on the default bridge (--count)",
  unit: "ms",
  goal: { subject: "hawser", over: { docker: 10 } },
  async run(context) {
    const rounds = context.rounds ?? 3;
    return await interleave(engines(context), {
      rounds: Math.min(rounds, 3),
      onFailure: context.onFailure,
      async measure(peer) {
        const names = await makeContainers(peer, { count: context.count, start: true, network: "bridge" });
        return timeCommand([...peer.client, "rm", "-f", ...names]);
      },
    });
  },
};

/** An engine that crashed with many live containers, until it answers for all of them. */
export const restartEngine: Row = {
  name: "restart",
  title: `engine killed and started again with ${restarted} live containers, until it lists them`,
  unit: "ms",
  goal: { subject: "hawser", most: 500 },
  run: (context) =>
    withContainers(context, { count: restarted, start: true }, async (all) => {
      const peers = new Map([...all].filter(([, peer]) => canCrash(peer)));
      return await interleave(peers, {
        rounds: context.rounds ?? 5,
        onFailure: context.onFailure,
        async measure(peer) {
          const { socket = "" } = peer;
          const started = await peer.crash?.();
          using api = openApiClient(socket);
          for (;;) {
            const list = await api.list().catch(() => undefined);
            if (list === undefined) continue;
            const took = performance.now() - (started ?? 0);
            if (countOf(list) < restarted) throw new Error("containers are missing");
            return took;
          }
        },
      });
    }),
};

function countOf(list: string): number {
  return (JSON.parse(list) as unknown[]).length;
}

function canCrash(peer: Peer): boolean {
  return "crash" in peer;
}

/** Those with an API of their own; both Hawser columns are one engine. */
function engines({ peers }: RowContext): Map<string, Peer> {
  return new Map(
    [...peers].filter(
      ([name, { socket }]) => socket !== undefined && !(name === "hawser-cli" && peers.has("hawser")),
    ),
  );
}

interface Wanted {
  readonly count: number;
  readonly start: boolean;
  readonly network?: string;
}

async function makeContainers(peer: Peer, wanted: Wanted): Promise<readonly string[]> {
  using api = openApiClient(peer.socket ?? "");
  const names = Array.from({ length: wanted.count }, (_, index) => `bench-many-${index}`);
  for (const name of names) {
    await api.create("idle", name, wanted.network);
    if (wanted.start) await api.start(name);
  }
  return names;
}

async function withContainers(
  context: RowContext,
  wanted: Wanted,
  measure: (peers: Map<string, Peer>) => Promise<Map<string, Summary>>,
): Promise<Map<string, Summary>> {
  const made: { readonly peer: Peer; readonly names: readonly string[] }[] = [];
  const withApi = new Map([...context.peers].filter(([, { socket }]) => socket !== undefined));
  const isAsked = wanted.start ? canCrash : () => true;
  try {
    for (const peer of engines(context).values()) {
      if (isAsked(peer)) made.push({ peer, names: await makeContainers(peer, wanted) });
    }
    return await measure(withApi);
  } finally {
    for (const { peer, names } of made) timeCommand([...peer.client, "rm", "-f", ...names]);
  }
}
