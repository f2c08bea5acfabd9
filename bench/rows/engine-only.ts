import { performance } from "node:perf_hooks";
import { openApiClient } from "../api.ts";
import { type Row, timeCommand } from "../row.ts";
import { interleave } from "../stats.ts";

/**
 * What an engine adds to a bare `crun run`: create, attach, start, output, exit over the API from a client that is there
 * already. podman has no API of its own running, so its figure is its whole client.
 */
export const engineOnly: Row = {
  name: "over-crun",
  title: "run hello over the API, beside a bare `crun run`",
  unit: "ms",
  goal: { subject: "hawser", over: { crun: 1 / 3 } },
  async run({ peers, crun, rounds = 30, onFailure }) {
    const subjects = new Map<string, () => Promise<void> | number>();
    subjects.set("crun", () => timeCommand(crun.run(), { expected: /./ }));
    await using clients = new AsyncDisposableStack();
    for (const [name, { client, socket }] of peers) {
      if (name === "hawser-cli") continue;
      const words = [...client, "run", "--rm", "--network", "none", "hello"];
      if (socket === undefined) subjects.set(name, () => timeCommand(words, { expected: /./ }));
      else {
        const api = clients.use(openApiClient(socket));
        subjects.set(name, () => api.runHello("hello"));
      }
    }
    return await interleave(subjects, {
      rounds,
      onFailure,
      async measure(run) {
        const started = performance.now();
        await run();
        return performance.now() - started;
      },
    });
  },
};
