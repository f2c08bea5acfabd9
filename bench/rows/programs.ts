import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually, openTempDir } from "@hawser/base/testing";
import { startProgram } from "../../test/e2e/kit-process.ts";
import type { Peer } from "../peer.ts";
import { type Row, timeCommand } from "../row.ts";
import { type Summary, summarize } from "../stats.ts";

/**
 * Programs that are exec'd for one `run`: those of the engine and all its children, and the client with its own. Counted by
 * strace, so this row says nothing about time.
 */
export const programsPerRun: Row = {
  name: "programs",
  title: "programs exec'd per `run --rm --network none hello`, client included",
  unit: "programs",
  goal: { subject: "hawser", most: 4 },
  async run({ peers, onFailure }) {
    const figures = new Map<string, Summary>();
    for (const [name, peer] of peers) {
      try {
        figures.set(name, summarize([await countPrograms(peer)]));
      } catch (error) {
        onFailure(name, error);
        figures.set(name, summarize([Infinity]));
      }
    }
    return figures;
  },
};

async function countPrograms(peer: Peer): Promise<number> {
  await using dir = await openTempDir("hawser-bench-strace-");
  const trace = ["strace", "-f", "-qq", "-e", "trace=execve,execveat", "-e", "signal=none"];
  const engineTrace = join(dir.path, "engine");
  const engine = peer.engineProcesses();
  const log = join(dir.path, "log");
  const tracer =
    engine.length === 0
      ? undefined
      : await startProgram([...trace, "-o", engineTrace, ...engine.flatMap((pid) => ["-p", String(pid)])], {
          log,
        });
  try {
    if (tracer !== undefined) {
      await eventually(() => everyThreadTraced(engine), { what: "strace is attached" });
    }
    const clientTrace = join(dir.path, "client");
    timeCommand([...trace, "-o", clientTrace, ...peer.client, "run", "--rm", "--network", "none", "hello"], {
      expected: /./,
    });
    await tracer?.kill("SIGINT");
    return (await countExecs(clientTrace)) + (tracer === undefined ? 0 : await countExecs(engineTrace));
  } finally {
    await tracer?.kill("SIGKILL");
  }
}

async function everyThreadTraced(pids: readonly number[]): Promise<boolean> {
  for (const pid of pids) {
    for (const thread of await readdir(`/proc/${pid}/task`)) {
      const status = await readFile(`/proc/${pid}/task/${thread}/status`, "utf8");
      if (/^TracerPid:\s+0$/m.test(status)) return false;
    }
  }
  return true;
}

/** Successful ones; a call that another thread interrupted in the trace ends on a line of its own. */
async function countExecs(path: string): Promise<number> {
  const text = await readFile(path, "utf8");
  return text.split("\n").filter((line) => /\bexecve(at)?\b.*= 0$/.test(line)).length;
}
