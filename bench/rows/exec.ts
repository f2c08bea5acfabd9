import { type Row, timeCommand } from "../row.ts";
import { interleave } from "../stats.ts";

/** One more process in a running container. */
export const execTrue: Row = {
  name: "exec",
  title: "`exec <container> true`",
  unit: "ms",
  goal: { subject: "hawser-cli", over: { docker: 5 } },
  async run({ peers, rounds = 30, onFailure }) {
    const name = "bench-exec";
    const subjects = new Map(peers);
    for (const [peerName, { client }] of peers) {
      // Both Hawser columns are one engine.
      if (peerName === "hawser-cli" && peers.has("hawser")) continue;
      timeCommand([...client, "run", "-d", "--name", name, "--network", "none", "idle", "sleep", "1000000"]);
    }
    try {
      return await interleave(subjects, {
        rounds,
        onFailure,
        measure: ({ client }) => timeCommand([...client, "exec", name, "true"]),
      });
    } finally {
      for (const [peerName, { client }] of peers) {
        if (peerName === "hawser-cli" && peers.has("hawser")) continue;
        timeCommand([...client, "rm", "-f", name]);
      }
    }
  },
};
