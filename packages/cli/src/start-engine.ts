import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { EngineClient } from "@hawser/api/client";
import { errnoOf, startDetached } from "@hawser/base";
import { cliFaults } from "./cli-faults.ts";

/** An engine that has to find many containers again may take long. */
const readyWithinMs = 60_000;

/**
 * Start this machine's engine in the background and wait until it answers. Of several clients that do this at once one starts
 * it and the others wait; the engine itself refuses to run twice, so a lost lock does no harm.
 *
 * @throws {Fault} `unavailable` when it does not come up, naming its log.
 */
export async function startEngine(options: {
  readonly command: readonly [string, ...string[]];
  readonly socket: string;
  readonly client: EngineClient;
  readonly warn: (message: string) => void;
}): Promise<void> {
  const dir = dirname(options.socket);
  mkdirSync(dir, { recursive: true, mode: 0o711 });
  const logPath = join(dir, "engine.log");
  const lock = takeLock(join(dir, "start.lock"));
  let child: number | undefined;
  try {
    if (lock !== undefined) {
      options.warn("Starting the Hawser engine ...");
      const log = openSync(logPath, "a", 0o600);
      try {
        child = startDetached(options.command, { stderrFd: log });
      } finally {
        closeSync(log);
      }
      if (child === undefined)
        throw cliFaults.ENGINE_NOT_STARTED(`${options.command[0]} does not run`, logPath);
    }
    await untilReady({ ...options, child, logPath });
  } finally {
    lock?.[Symbol.dispose]();
  }
}

async function untilReady(options: {
  readonly client: EngineClient;
  readonly child: number | undefined;
  readonly logPath: string;
}): Promise<void> {
  const end = performance.now() + readyWithinMs;
  for (;;) {
    try {
      await options.client.ping();
      return;
    } catch (error) {
      if (options.child !== undefined && !isRunning(options.child)) {
        const why = lastLine(options.logPath) ?? "it ended at once";
        throw cliFaults.ENGINE_NOT_STARTED(why, options.logPath).because(error);
      }
      if (performance.now() > end) {
        throw cliFaults.ENGINE_NOT_STARTED("it does not answer", options.logPath).because(error);
      }
    }
    await delay(10);
  }
}

/** `undefined` when a living process holds it. */
function takeLock(path: string): Disposable | undefined {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx", mode: 0o600 });
      return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
    const holder = readHolder(path);
    if (holder !== undefined && isRunning(holder)) return undefined;
    rmSync(path, { force: true });
  }
  return undefined;
}

function readHolder(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, "utf8"));
    // between its creation and its first byte the file belongs to somebody alive
    return Number.isSafeInteger(pid) && pid > 0 ? pid : process.pid;
  } catch {
    return undefined;
  }
}

/** A child that ended but is not reaped yet counts as ended. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

function lastLine(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trimEnd().split("\n").at(-1) || undefined;
  } catch {
    return undefined;
  }
}
