import { runProgram } from "@hawser/base";
import type { Session } from "./session.ts";

/** A terminal in raw mode, until disposed. */
export interface RawMode extends Disposable {
  /** All of the mode is set. */
  readonly settled: Promise<void>;
}

/**
 * The terminal of this process's standard input in raw mode; nothing when it is no terminal. Node's raw mode still turns line
 * feeds into carriage return and line feed, which spoils what full-screen programs draw, so `stty` takes that away, too:
 * `settled` tells when it has.
 */
export function terminalRawMode(stdin: NodeJS.ReadStream): RawMode {
  if (!stdin.isTTY) return { settled: Promise.resolve(), [Symbol.dispose]() {} };
  const wasRaw = stdin.isRaw;
  stdin.setRawMode(true);
  return {
    settled: stopOutputProcessing(),
    [Symbol.dispose]() {
      stdin.setRawMode(wasRaw);
    },
  };
}

async function stopOutputProcessing(): Promise<void> {
  try {
    await runProgram(["stty", "-F", `/proc/${process.pid}/fd/0`, "-opost"]);
  } catch {
    // a system without stty: lines end with one carriage return too many
  }
}

/** Nothing to undo. */
export const cookedMode: RawMode = {
  settled: Promise.resolve(),
  [Symbol.dispose]() {},
};

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** The size of the terminal; zeros when there is none. */
export function terminalSize(session: Session): TerminalSize {
  const { rows = 0, columns = 0 } = session.stdout.isTTY ? session.stdout : {};
  return { rows, columns };
}

const retryDelaysMs = [10, 20, 40, 80, 160, 320];

/**
 * Tell `resize` the terminal's size, now and whenever it changes, until disposed. A refusal at first is tried again a few times:
 * the container's terminal may not be there yet.
 */
export function followSize(session: Session, resize: (size: TerminalSize) => Promise<void>): Disposable {
  let timer: NodeJS.Timeout | undefined;
  const tell = (attempt: number): void => {
    const size = terminalSize(session);
    if (size.rows === 0 && size.columns === 0) return;
    resize(size).catch(() => {
      const delayMs = retryDelaysMs[attempt];
      if (delayMs !== undefined) timer = setTimeout(tell, delayMs, attempt + 1);
    });
  };
  tell(0);
  const onResize = () => tell(0);
  session.stdout.on("resize", onResize);
  return {
    [Symbol.dispose]() {
      session.stdout.off("resize", onResize);
      clearTimeout(timer);
    },
  };
}
