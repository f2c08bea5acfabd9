import { spawn, spawnSync } from "node:child_process";
import { performance } from "node:perf_hooks";
import type { Peer } from "./peer.ts";
import type { CrunPeer } from "./peers/crun.ts";
import type { Summary } from "./stats.ts";

/** What a row needs to measure. */
export interface RowContext {
  readonly peers: ReadonlyMap<string, Peer>;
  readonly crun: CrunPeer;
  /** Rounds asked for on the command line; absent: the row's own number. */
  readonly rounds?: number;
  /** Containers of the rows that hold many. */
  readonly count: number;
  readonly onFailure: (name: string, error: unknown) => void;
}

/** A line of the table. */
export interface Row {
  readonly name: string;
  readonly title: string;
  readonly unit: "ms" | "MB" | "programs";
  /** Which Hawser column is judged, and how many times better than each peer the issue wants it: `peer → factor`. */
  readonly goal: {
    readonly subject: string;
    readonly over?: Readonly<Record<string, number>>;
    readonly most?: number;
  };
  run(context: RowContext): Promise<Map<string, Summary>>;
}

/** Milliseconds that a command takes from its start to its end. @throws when it fails or prints nothing it should. */
export function timeCommand(
  argv: readonly string[],
  { expected, timeoutMs = 60_000 }: { readonly expected?: RegExp; readonly timeoutMs?: number } = {},
): number {
  const [program = "", ...args] = argv;
  const started = performance.now();
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: timeoutMs,
  });
  const took = performance.now() - started;
  if (error) throw error;
  if (status !== 0) throw new Error(`exit code ${status}: ${argv.join(" ")}: ${String(stderr)}`);
  if (expected !== undefined && !expected.test(String(stdout))) {
    throw new Error(`unexpected output of ${argv.join(" ")}: ${String(stdout)}`);
  }
  return took;
}

/** Milliseconds until all of some commands, started together, have ended. @throws when one fails. */
export async function timeTogether(commands: readonly (readonly string[])[]): Promise<number> {
  const started = performance.now();
  await Promise.all(
    commands.map(async ([program = "", ...args]) => {
      const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], timeout: 120_000 });
      const words: Buffer[] = [];
      child.stderr.on("data", (chunk: Buffer) => words.push(chunk));
      const { promise, resolve, reject } = Promise.withResolvers<number | null>();
      child.on("error", reject);
      child.on("close", resolve);
      const code = await promise;
      if (code !== 0) throw new Error(`exit code ${code}: ${program}: ${Buffer.concat(words).toString()}`);
    }),
  );
  return performance.now() - started;
}
