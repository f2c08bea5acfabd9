import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { abortable, errnoOf, writeFileAtomic } from "@hawser/base";
import { ChangeWatch } from "./change-watch.ts";
import type { LogDestination, LogMessage } from "./drivers/log-driver.ts";
import { MessageMaker } from "./drivers/to-messages.ts";
import { LogCursor, type LogPosition } from "./log-cursor.ts";

export interface DeliveryOptions {
  /** The log's current file. */
  readonly path: string;
  /** Keeps up to where the log has been delivered: `<inode> <offset>`. */
  readonly positionPath: string;
  /** Open already; it is disposed here. */
  readonly destination?: LogDestination;
  readonly open: () => Promise<LogDestination>;
  /** Nothing is written to the log any more when this has settled. */
  readonly over: Promise<unknown>;
  /** Gives up; what is not delivered then is so by the next delivery. */
  readonly signal: AbortSignal;
  /** Called when a receiver is lost, and when it is found again. */
  readonly tell: (trouble: Error | undefined) => void;
}

/** A writer that is busy is read this often. */
const stepMs = 50;
const saveEveryMs = 1000;
const firstPauseMs = 100;
const longestPauseMs = 10_000;

/**
 * Send a container's log to where its driver has it go, from where the last delivery came to, until the container has ended
 * and all of it is sent. What cannot be sent is tried again until it can: each line is sent at least once, unless the log
 * rotates past it. The log on the disk is what is sent, so an engine that dies loses nothing, and no container waits.
 *
 * @throws when `signal` aborts
 */
export async function deliverLog(options: DeliveryOptions): Promise<void> {
  const { path, positionPath, over, signal } = options;
  await using sender = new Sender(options);
  const start = await readPosition(positionPath);
  await using cursor = new LogCursor(path, start);
  using watch = new ChangeWatch(path, over);
  const messages = new MessageMaker();
  const saved = new SavedPosition(positionPath, start);
  try {
    for (;;) {
      const { isLast } = watch.prepare();
      for await (const entries of cursor.readBlocks()) {
        await sender.send(entries.map((entry) => messages.make(entry)));
        await saved.reach(cursor.position);
      }
      if (isLast) return;
      await watch.wait(signal);
      await sleep(stepMs, undefined, { signal, ref: false });
    }
  } finally {
    await saved.save().catch((error: unknown) => {
      if (errnoOf(error) !== "ENOENT") throw error; // the container is gone, with its folder
    });
  }
}

/** Sends to one destination after the other. */
class Sender implements AsyncDisposable {
  readonly #options: DeliveryOptions;
  #destination: LogDestination | undefined;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#destination = options.destination;
  }

  async send(messages: readonly LogMessage[]): Promise<void> {
    const { signal, tell } = this.#options;
    let pauseMs = firstPauseMs;
    for (let hasFailed = false; messages.length > 0; hasFailed = true) {
      signal.throwIfAborted();
      try {
        this.#destination ??= await this.#open();
        await abortable(this.#destination.send(messages), signal);
        if (hasFailed) tell(undefined);
        return;
      } catch (error) {
        await this[Symbol.asyncDispose]();
        signal.throwIfAborted();
        if (!hasFailed) tell(error instanceof Error ? error : new Error(String(error)));
        await sleep(pauseMs, undefined, { signal, ref: false });
        pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      }
    }
  }

  async #open(): Promise<LogDestination> {
    const { open, signal } = this.#options;
    const opening = open();
    try {
      return await abortable(opening, signal);
    } catch (error) {
      opening.then(
        (destination) => destination[Symbol.asyncDispose](),
        () => {},
      );
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const destination = this.#destination;
    this.#destination = undefined;
    await destination?.[Symbol.asyncDispose]();
  }
}

/** The position on the disk, which need not be written with every step: what comes twice after a crash is no loss. */
class SavedPosition {
  readonly #path: string;
  #saved: string;
  #reached: string;
  #savedAtMs = 0;

  constructor(path: string, position: LogPosition | undefined) {
    this.#path = path;
    this.#saved = this.#reached = formatPosition(position);
  }

  async reach(position: LogPosition | undefined): Promise<void> {
    this.#reached = formatPosition(position);
    if (performance.now() - this.#savedAtMs > saveEveryMs) await this.save();
  }

  async save(): Promise<void> {
    if (this.#saved === this.#reached) return;
    const reached = this.#reached;
    this.#savedAtMs = performance.now();
    await writeFileAtomic(this.#path, reached);
    this.#saved = reached;
  }
}

function formatPosition(position: LogPosition | undefined): string {
  return position === undefined ? "" : `${position.inode} ${position.offsetBytes}\n`;
}

async function readPosition(path: string): Promise<LogPosition | undefined> {
  const text = await readFile(path, "utf8").catch(() => "");
  const [, inode, offset] = /^(\d{1,20}) (\d{1,15})\n$/.exec(text) ?? [];
  return inode === undefined ? undefined : { inode: BigInt(inode), offsetBytes: Number(offset) };
}
