import { closeSync, constants, ftruncateSync, openSync, readFileSync } from "node:fs";
import { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Logger, startDetached } from "@hawser/base";
import { lockFile, sendWithDescriptors, socketPair } from "@hawser/linux";

export interface NameKeeperOptions {
  /** Absolute path of the native keeper. */
  readonly program: string;
  /** What it becomes when this process is dead; further arguments are `key:udp:tcp`, with the numbers of descriptors. */
  readonly standIn: readonly [string, ...string[]];
  /** Locked by the keeper, and by what it has become, for as long as it lives. */
  readonly pidFile: string;
  /** Where it complains. */
  readonly logFile: string;
  readonly log: Logger;
}

/** The sockets of a name server: UDP, and TCP that listens. */
export type NameSockets = readonly [udp: number, tcp: number];

/** How often it is looked whether the one of the last engine has ended. It needs milliseconds. */
const pollMs = 20;
const mostPolls = 500;
/** One that dies gets this many successors, each a while later. */
const mostStarts = 5;
const againMs = 1000;

/**
 * A small process that holds the sockets of name servers, too. While this process lives it only waits; when this process dies
 * it becomes the stand-in, which answers what was asked meanwhile, until the next engine's `retire`.
 *
 * There is none before the first `hold`, and another one when it dies.
 */
export class NameKeeper implements Disposable {
  readonly #options: NameKeeperOptions;
  readonly #held = new Map<string, NameSockets>();
  #connection: { readonly fd: number; readonly socket: Socket } | undefined;
  #isStarting = false;
  #starts = 0;
  #closed = false;

  constructor(options: NameKeeperOptions) {
    this.#options = options;
  }

  /** Hold a server's sockets, which stay the caller's, under a key of 64 characters. */
  hold(key: string, sockets: NameSockets): void {
    this.#held.set(key, sockets);
    if (this.#connection === undefined) this.#begin(0);
    else this.#send(`+${key}`, sockets);
  }

  /** The server is gone, or about to go. */
  drop(key: string): void {
    if (this.#held.delete(key)) this.#send(`-${key}`, []);
  }

  /** End the keeper, or stand-in, of an engine before this one. To be called when this one answers at the same sockets' places. */
  retire(): void {
    const fd = openSync(this.#options.pidFile, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      // Whose lock it is has written who it is: nobody else is ended.
      const pid = lockFile(fd) ? 0 : Number(readFileSync(fd, "utf8"));
      if (pid > 0) process.kill(pid, "SIGTERM");
    } catch (error) {
      this.#options.log.warn("cannot end the stand-in of the last engine", { error });
    } finally {
      closeSync(fd);
    }
  }

  /** Leave the keeper with what it holds: it stands in from now on. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#connection?.socket.destroy();
  }

  #begin(delayMs: number): void {
    if (this.#isStarting || this.#starts === mostStarts || this.#held.size === 0) return;
    this.#isStarting = true;
    void this.#start(delayMs)
      .catch((error: unknown) => this.#options.log.warn("names have no keeper", { error }))
      .finally(() => {
        this.#isStarting = false;
      });
  }

  async #start(delayMs: number): Promise<void> {
    const { program, standIn, pidFile, logFile, log } = this.#options;
    if (delayMs > 0) await delay(delayMs, undefined, { ref: false });
    const lockFd = await this.#lock(pidFile);
    if (lockFd === undefined) return;
    const logFd = openSync(logFile, "a", 0o600);
    const [own, other] = socketPair();
    this.#starts++;
    try {
      const { ended } = startDetached([program, ...standIn], {
        stderrFd: logFd,
        descriptors: [other, lockFd],
      });
      const socket = new Socket({ fd: own, readable: true, writable: false });
      this.#connection = { fd: own, socket };
      socket.unref();
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#connection = undefined;
        if (this.#closed) return;
        void ended.then((how) => log.warn("the keeper of names is gone", { how, log: logFile }));
        this.#begin(againMs);
      });
      socket.resume();
      for (const [key, sockets] of this.#held) this.#send(`+${key}`, sockets);
    } finally {
      for (const fd of [other, logFd, lockFd]) closeSync(fd);
    }
  }

  /** The pid file, locked and empty; `undefined` when its holder does not end. */
  async #lock(path: string): Promise<number | undefined> {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    for (let poll = 0; poll < mostPolls && !this.#closed; poll++) {
      if (lockFile(fd)) {
        ftruncateSync(fd, 0);
        return fd;
      }
      if (poll % 50 === 1) this.retire(); // it may not have said who it is at first
      await delay(pollMs, undefined, { ref: false });
    }
    closeSync(fd);
    if (!this.#closed) this.#options.log.warn("the stand-in of the last engine does not end", { path });
    return undefined;
  }

  #send(message: string, sockets: readonly number[]): void {
    if (this.#connection === undefined) return;
    try {
      sendWithDescriptors(this.#connection.fd, Buffer.from(message), sockets);
    } catch {
      // it is gone, and its successor is told of all
    }
  }
}
