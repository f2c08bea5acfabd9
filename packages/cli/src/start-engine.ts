import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { EngineClient } from "@hawser/api/client";
import { errnoOf, startDetached } from "@hawser/base";
import { cliFaults } from "./faults.ts";

/** An engine that has to find many containers again may take long. */
const readyWithinMs = 60_000;

/**
 * Start this machine's engine in the background and wait until it answers. Of several clients that do this at once one starts
 * it and the others wait; the engine itself refuses to run twice, so a lost lock does no harm.
 *
 * @throws {Fault} `unavailable` when it does not come up, naming its log.
 */
export async function startEngine(options: StartOptions): Promise<void> {
  const dir = dirname(options.socket);
  mkdirSync(dir, { recursive: true, mode: 0o711 });
  const lockPath = join(dir, "start.lock");
  const logPath = join(dir, "engine.log");
  const end = performance.now() + readyWithinMs;
  for (;;) {
    using lock = takeLock(lockPath);
    const failure = await findEngine(options.client);
    if (failure === undefined) return;
    if (lock !== undefined) return await startAndWait(options, { logPath, end });
    if (performance.now() > end) {
      throw cliFaults.ENGINE_NOT_STARTED("it does not answer", logPath).because(failure);
    }
    await delay(10);
  }
}

export interface StartOptions {
  readonly command: readonly [string, ...string[]];
  readonly socket: string;
  readonly client: EngineClient;
  readonly warn: (message: string) => void;
}

async function startAndWait(
  options: StartOptions,
  { logPath, end }: { readonly logPath: string; readonly end: number },
): Promise<void> {
  options.warn("Starting the Hawser engine ...");
  const child = spawnEngine(options.command, logPath);
  for (;;) {
    const failure = await findEngine(options.client);
    if (failure === undefined) return;
    if (child === undefined || !isRunning(child)) {
      const why = lastLine(logPath) ?? `${options.command[0]} ended at once`;
      throw cliFaults.ENGINE_NOT_STARTED(why, logPath).because(failure);
    }
    if (performance.now() > end) {
      throw cliFaults.ENGINE_NOT_STARTED("it does not answer", logPath).because(failure);
    }
    await delay(10);
  }
}

function spawnEngine(command: readonly [string, ...string[]], logPath: string): number | undefined {
  const log = openSync(logPath, "a", 0o600);
  try {
    return startDetached(command, { stderrFd: log }).pid;
  } finally {
    closeSync(log);
  }
}

/** Why nobody answers; `undefined` when somebody does. */
async function findEngine(client: EngineClient): Promise<unknown> {
  try {
    await client.ping();
    return undefined;
  } catch (error) {
    return error;
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
