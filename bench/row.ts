import { spawnSync } from "node:child_process";
import type { Peer } from "./peer.ts";
import type { CrunPeer } from "./peers/crun.ts";
import type { Summary } from "./stats.ts";

/** What a row needs to measure. */
export interface RowContext {
  readonly peers: ReadonlyMap<string, Peer>;
  readonly crun: CrunPeer;
  /** Names of all rows that are wanted. */
  readonly wanted: ReadonlySet<string>;
  /** Rounds asked for on the command line; absent: the row's own number. */
  readonly rounds?: number;
  /** Transfers of the sizes that the goals name; else of a third and a fifth of them. */
  readonly full: boolean;
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

/**
 * Milliseconds that a command takes from its start to its end, begun by a shell as users begin it: a process of this program's size
 * is copied for many milliseconds before the command is there. @throws when it fails or prints nothing it should.
 */
export function timeCommand(
  argv: readonly string[],
  { expected, timeoutMs = 60_000 }: { readonly expected?: RegExp; readonly timeoutMs?: number } = {},
): number {
  const { took, stdout } = runTimed(quoteWords(argv), timeoutMs);
  if (expected !== undefined && !expected.test(stdout)) {
    throw new Error(`unexpected output of ${argv.join(" ")}: ${stdout}`);
  }
  return took;
}

/** Milliseconds until all of some commands, started together, have ended. @throws when one fails. */
export function timeTogether(commands: readonly (readonly string[])[]): number {
  const starts = commands.map((argv) => `${quoteWords(argv)} >/dev/null & started+=($!)\n`).join("");
  const script = `started=()\n${starts}for one in "\${started[@]}"; do wait "$one" || return; done`;
  return runTimed(script, 120_000).took;
}

function runTimed(script: string, timeoutMs: number): { readonly took: number; readonly stdout: string } {
  const timed = `all() {\n${script}\n}\nbegan=$EPOCHREALTIME\nall\nstatus=$?\necho "$began $EPOCHREALTIME" >&3\nexit $status`;
  // all that was started is ended, not only the shell: what is left would hold the pipes
  const bounded = ["--signal=KILL", String(timeoutMs / 1000), "bash", "-c", timed];
  const { status, output, error } = spawnSync("timeout", bounded, {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    env: { ...process.env, LC_ALL: "C" },
  });
  const [, stdout = "", stderr = "", times = ""] = (output ?? []).map(String);
  if (error) throw error;
  if (status !== 0) throw new Error(`exit code ${status}: ${script}: ${stderr}`);
  const [began = NaN, ended = NaN] = times.split(" ").map(Number);
  return { took: (ended - began) * 1000, stdout };
}

function quoteWords(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
}
