import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually, openTempDir } from "@hawser/base/testing";
import { runCommandOk } from "./kit-process.ts";

/** A program on a terminal of its own, with somebody at the keyboard. */
export interface Terminal extends AsyncDisposable {
  /** Settles with the exit code when the program has ended. */
  readonly ended: Promise<number | null>;
  /** Type. */
  write(keys: string): void;
  /** All that the screen has shown. */
  screen(): string;
  /** Wait until the screen has shown something. */
  shows(wanted: string | RegExp): Promise<void>;
  /** Change the window's size: the program gets SIGWINCH. */
  resize(size: TerminalSize): Promise<void>;
  /** What `stty -a` tells of the terminal: raw mode shows here. */
  settings(): Promise<string>;
}

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** Start a program on a new terminal, by way of script(1). Disposal ends it. */
export async function openTerminal(
  argv: readonly string[],
  options: {
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly size?: TerminalSize;
  },
): Promise<Terminal> {
  const dir = await openTempDir("hawser-terminal-");
  const name = join(dir.path, "tty");
  const { rows, columns } = options.size ?? { rows: 24, columns: 80 };
  const words = argv.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  const command = `stty rows ${rows} cols ${columns}; tty >${name}.part; mv ${name}.part ${name}; exec ${words}`;
  const child = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...options.env, SHELL: "/bin/sh" },
  });
  let screen = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    screen += text;
  });
  child.stdin.on("error", () => {}); // the program has ended; its exit code tells the rest
  const { promise: ended, resolve, reject } = Promise.withResolvers<number | null>();
  ended.catch(() => {}); // whoever awaits it hears of it
  child.on("error", reject);
  child.on("close", resolve);
  const tty = async () => (await readFile(name, "utf8")).trim();
  await eventually(tty, { what: `${argv.join(" ")} has a terminal` });
  return {
    ended,
    write: (keys) => void child.stdin.write(keys),
    screen: () => screen,
    async shows(wanted) {
      const shown = () => (typeof wanted === "string" ? screen.includes(wanted) : wanted.test(screen));
      await eventually(shown).catch((cause: unknown) => {
        throw new Error(`the screen does not show ${String(wanted)}: ${JSON.stringify(screen.slice(-400))}`, {
          cause,
        });
      });
    },
    async resize({ rows: high, columns: wide }) {
      await runCommandOk(["stty", "-F", await tty(), "rows", String(high), "cols", String(wide)]);
    },
    settings: async () => await runCommandOk(["stty", "-F", await tty(), "-a"]),
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) child.kill("SIGKILL");
      await ended;
      await dir[Symbol.asyncDispose]();
    },
  };
}
