import { closeSync, openSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { abortable, type DetachedProgram, errnoOf, Fault, type Logger, startDetached } from "@hawser/base";
import { connectUnix, peerCredentials, sendWithDescriptors } from "@hawser/linux";
import { runtimeFaults } from "../faults.ts";
import { encodeFrame, type Frame, FrameDecoder, textField } from "./frame.ts";
import { Monitor } from "./monitor.ts";
import { type StartRequest, startFields } from "./start-request.ts";

export interface LauncherOptions {
  /** Where `launcher.sock` and `launcher.log` are. */
  readonly execRoot: string;
  /** Absolute path of the native launcher. */
  readonly program: string;
  /** The only version that is talked to; another one that runs is replaced, its monitors stay. */
  readonly version: string;
  /** Absolute paths of OCI runtimes to keep in memory: they start sooner. */
  readonly preload?: readonly string[];
  readonly log: Logger;
  readonly signal?: AbortSignal;
}

/** All of the environment that OCI runtimes see. */
const programPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A launcher may be killed while it is asked, and its successor, too. */
const startAttempts = 5;

/** How long a launcher may take to come up or to go. It needs about a millisecond. */
const deadlineMs = 10_000;

/**
 * The resident native launcher: makes one monitor a container. It outlives this process; one of the right version that
 * runs already is used. When it dies, the next `start` begins another one.
 */
export class Launcher {
  readonly #options: LauncherOptions;
  readonly #socketPath: string;
  #restarting: Promise<void> | undefined;

  private constructor(options: LauncherOptions) {
    this.#options = options;
    this.#socketPath = join(options.execRoot, "launcher.sock");
  }

  /** @throws {Fault} `unavailable` when it cannot be started. */
  static async open(options: LauncherOptions): Promise<Launcher> {
    const launcher = new Launcher(options);
    await launcher.#ensure(options.signal);
    return launcher;
  }

  /**
   * Start a container. Returns when its monitor listens, which is before the first process runs: clients can be attached,
   * and `monitor.started` says how it went on. Nothing is left behind by a failure.
   *
   * @param options.namespaceFd the network namespace; it stays the caller's to close
   * @param options.signal is heeded until the launcher has been told; from then on there is a container to stop
   * @throws {Fault} what `Monitor.started` rejects with, when it fails before it listens; `unavailable` without a launcher.
   */
  async start(
    request: StartRequest,
    options: { readonly namespaceFd?: number; readonly signal?: AbortSignal } = {},
  ): Promise<Monitor> {
    const frame = encodeFrame("start", startFields(request));
    for (let attempt = 1; ; attempt++) {
      const asked: { pid?: number } = {};
      try {
        return await this.#start(request, { frame, asked, ...options });
      } catch (error) {
        // Whoever holds the other end of the connection is the monitor: when it is closed, there is none.
        if (!Fault.is(error, "unavailable") || attempt === startAttempts) throw error;
        options.signal?.throwIfAborted();
        // Another one that answers is a successor, which another start has waited for.
        const running = await this.#ping(options.signal);
        if (running !== undefined && running.pid === asked.pid) throw error;
        this.#options.log.warn("the launcher is gone, starting another one", { error });
        await this.#ensure(options.signal);
      }
    }
  }

  /** Ask the launcher to end. Monitors stay. Returns when it has ended. */
  async shutDown(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const answer = await this.#ask("shutdown", options.signal);
    if (answer !== undefined)
      await this.#poll(async () => !(await this.#ping(options.signal)), options.signal);
  }

  async #start(
    request: StartRequest,
    options: {
      readonly frame: Buffer;
      readonly namespaceFd?: number;
      readonly signal?: AbortSignal;
      /** Gets the process id of the launcher that is asked. */
      readonly asked: { pid?: number };
    },
  ): Promise<Monitor> {
    options.signal?.throwIfAborted();
    const fd = this.#connect();
    if (fd === undefined) throw runtimeFaults.LAUNCHER_UNAVAILABLE(this.#socketPath, "nobody answers");
    try {
      options.asked.pid = peerCredentials(fd).pid;
      sendWithDescriptors(fd, options.frame, options.namespaceFd === undefined ? [] : [options.namespaceFd]);
    } catch (error) {
      closeSync(fd);
      throw runtimeFaults.LAUNCHER_UNAVAILABLE(this.#socketPath, "it ended").because(error);
    }
    const monitor = new Monitor(fd, request.dir);
    await monitor.listening;
    return monitor;
  }

  /** A launcher of our version answers when this returns. Callers at the same time share one attempt. */
  async #ensure(signal: AbortSignal | undefined): Promise<void> {
    this.#restarting ??= this.#restart().finally(() => {
      this.#restarting = undefined;
    });
    await abortable(this.#restarting, signal);
  }

  async #restart(): Promise<void> {
    const { version, log } = this.#options;
    const running = await this.#ping();
    if (running?.version === version) return;
    if (running !== undefined) {
      log.info("replacing the launcher of another version", { running: running.version, version });
      await this.shutDown();
    }
    for (let attempt = 1; ; attempt++) {
      const { pid, ended } = this.#spawn();
      let end: string | undefined;
      void ended.then((how) => {
        end = how;
      });
      let answers = false;
      await this.#poll(async () => {
        answers = (await this.#ping())?.version === version;
        return answers || end !== undefined;
      });
      if (answers) {
        log.info("launcher started", { pid, version });
        return;
      }
      if (attempt === startAttempts) {
        throw runtimeFaults.LAUNCHER_UNAVAILABLE(this.#socketPath, `it ended: ${end}; ${this.#seeLog()}`);
      }
      // Killed before it answered: it has no successor but the one that is started here.
      log.warn("the launcher ended before it answered, starting another one", { pid, end });
    }
  }

  #spawn(): DetachedProgram {
    const { version, program, execRoot, preload = [] } = this.#options;
    const logFd = openSync(join(execRoot, "launcher.log"), "a", 0o600);
    try {
      const kept = preload.flatMap((path) => ["--preload", path]);
      const argv = ["--socket", this.#socketPath, "--version-string", version, ...kept] as const;
      return startDetached([program, ...argv], { stderrFd: logFd, env: { PATH: programPath } });
    } finally {
      closeSync(logFd);
    }
  }

  /** The launcher that runs; `undefined` when none does. */
  async #ping(signal?: AbortSignal): Promise<{ readonly version: string; readonly pid: number } | undefined> {
    const answer = await this.#ask("ping", signal);
    if (answer?.kind !== "pong") return undefined;
    return { version: textField(answer, "version") ?? "unknown", pid: Number(textField(answer, "pid")) };
  }

  /** One question, one answer; `undefined` when nobody is there. */
  async #ask(kind: "ping" | "shutdown", signal?: AbortSignal): Promise<Frame | undefined> {
    signal?.throwIfAborted();
    const fd = this.#connect();
    if (fd === undefined) return undefined;
    const socket = new Socket({ fd, readable: true, writable: true });
    const decoder = new FrameDecoder();
    const { promise, resolve, reject } = Promise.withResolvers<Frame | undefined>();
    socket.on("error", () => {}); // the close that follows is the answer
    socket.on("close", () => resolve(undefined));
    socket.on("data", (chunk) => {
      try {
        decoder.push(chunk);
        const frame = decoder.next();
        if (frame !== undefined) resolve(frame);
      } catch (error) {
        reject(error);
      }
    });
    socket.setTimeout(deadlineMs, () => {
      reject(runtimeFaults.LAUNCHER_UNAVAILABLE(this.#socketPath, "it does not answer"));
    });
    try {
      socket.write(encodeFrame(kind));
      return await abortable(promise, signal);
    } finally {
      socket.destroy();
    }
  }

  #connect(): number | undefined {
    try {
      return connectUnix(this.#socketPath);
    } catch (error) {
      const code = errnoOf(error);
      if (code === "ENOENT" || code === "ECONNREFUSED") return undefined;
      throw runtimeFaults.LAUNCHER_UNAVAILABLE(this.#socketPath, code ?? "unknown").because(error);
    }
  }

  async #poll(condition: () => Promise<boolean>, signal?: AbortSignal): Promise<void> {
    const end = performance.now() + deadlineMs;
    while (!(await condition())) {
      if (performance.now() > end) {
        throw runtimeFaults.LAUNCHER_UNAVAILABLE(
          this.#socketPath,
          `it did not come up in time; ${this.#seeLog()}`,
        );
      }
      await delay(2, undefined, { ...(signal && { signal }) });
    }
  }

  #seeLog(): string {
    return `see ${join(this.#options.execRoot, "launcher.log")}`;
  }
}
