import { type Row, timeCommand, timeTogether } from "../row.ts";
import { interleave } from "../stats.ts";

const runHello = (network: string) => ["run", "--rm", "--network", network, "hello"];

/** One container that prints and ends, without a network. */
export const runNone: Row = {
  name: "run-none",
  title: "`run --rm --network none hello`",
  unit: "ms",
  goal: { subject: "hawser", over: { docker: 8, podman: 3 } },
  run: ({ peers, rounds = 30, onFailure }) =>
    interleave(peers, {
      rounds,
      onFailure,
      measure: (peer) => timeCommand([...peer.client, ...runHello("none")], { expected: /./ }),
    }),
};

/** The same with the default bridge. */
export const runBridge: Row = {
  name: "run-bridge",
  title: "`run --rm hello`, default bridge",
  unit: "ms",
  goal: { subject: "hawser", over: { docker: 8, podman: 6 } },
  run: ({ peers, rounds = 30, onFailure }) =>
    interleave(peers, {
      rounds,
      onFailure,
      measure: (peer) => {
        const network = peer.name === "podman" ? "podman" : "bridge";
        return timeCommand([...peer.client, ...runHello(network)], { expected: /./ });
      },
    }),
};

/** Many clients at the same moment; crun alone as the floor. */
export const runTogether: Row = {
  name: "run-40",
  title: "40 x `run --rm --network none hello` at once",
  unit: "ms",
  goal: { subject: "hawser-cli", over: { docker: 10, podman: 10 } },
  run: ({ peers, crun, rounds = 3, onFailure }) => {
    const subjects = new Map<string, () => readonly string[]>([["crun", () => crun.run()]]);
    for (const [name, peer] of peers) subjects.set(name, () => [...peer.client, ...runHello("none")]);
    return interleave(subjects, {
      rounds,
      onFailure,
      measure: (command) => timeTogether(Array.from({ length: 40 }, command)),
    });
  },
};
