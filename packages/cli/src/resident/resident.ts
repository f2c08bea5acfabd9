import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { errnoOf } from "@hawser/base";
import { isOwnCommand } from "../dispatch.ts";
import { cliFaults } from "../faults.ts";
import { encodeRelayFrame, type RelayFrame, RelayFrameDecoder } from "./frames.ts";
import { ownIdentity, parseHello } from "./hello.ts";
import { RelayedSession } from "./relayed-session.ts";

export interface ResidentOptions {
  /** In a folder that only this user can enter. */
  readonly socketPath: string;
  /** End after so long without a command. */
  readonly idleMs: number;
  /** A stub has so long to say what it wants. */
  readonly greetingMs: number;
}

/**
 * The resident client: does the commands of a user's stubs, any number at once, each as the process that its stub is. Whoever
 * can connect is this user, since nobody else can enter the socket's folder.
 */
export class Resident implements AsyncDisposable {
  readonly #options: ResidentOptions;
  readonly #server: Server;
  readonly #identity = ownIdentity();
  readonly #sockets = new Set<Socket>();
  readonly #idle = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: ResidentOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** @throws what listening throws; a socket in the way is removed first. */
  static async open(options: ResidentOptions): Promise<Resident> {
    const resident = new Resident(options);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    rmSync(options.socketPath, { force: true });
    resident.#server.once("error", reject);
    resident.#server.listen(options.socketPath, resolve);
    await promise;
    chmodSync(options.socketPath, 0o600);
    resident.#restTimer();
    return resident;
  }

  /** Resolves after a long time without a command. */
  get idle(): Promise<void> {
    return this.#idle.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const socket of this.#sockets) socket.destroy();
    await promise;
    clearTimeout(this.#timer);
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    clearTimeout(this.#timer);
    const decoder = new RelayFrameDecoder();
    let session: RelayedSession | undefined;
    const deadline = setTimeout(() => socket.destroy(), this.#options.greetingMs);
    socket.on("data", (bytes) => {
      try {
        for (const frame of decoder.push(bytes)) {
          if (session === undefined) {
            session = this.#greet(frame, socket);
            if (session === undefined) return; // declined
            continue;
          }
          if (frame.kind === "G") clearTimeout(deadline);
          session.take(frame);
        }
      } catch {
        socket.destroy(); // no stub of ours
      }
    });
    socket.on("error", (error) => {
      if (errnoOf(error) === undefined) throw error;
    });
    socket.on("end", () => socket.destroy());
    socket.on("close", () => {
      clearTimeout(deadline);
      session?.abandon();
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#restTimer();
    });
  }

  /** The session that a stub asks for; `undefined` when this process cannot stand for it. @throws {Fault} `invalid-argument` */
  #greet({ kind, bytes }: RelayFrame, socket: Socket): RelayedSession | undefined {
    if (kind !== "H") throw cliFaults.RELAY_BROKEN("no greeting");
    const hello = parseHello(bytes);
    // A plugin takes the place of its process, which this one cannot be.
    const serves = hello.identity === this.#identity && isOwnCommand(hello.argv);
    socket.write(encodeRelayFrame(serves ? "A" : "D", Buffer.alloc(0)));
    if (serves) return new RelayedSession(hello, socket);
    socket.end(() => socket.destroySoon());
    return undefined;
  }

  #restTimer(): void {
    clearTimeout(this.#timer);
    if (!this.#server.listening) return;
    this.#timer = setTimeout(() => this.#idle.resolve(), this.#options.idleMs);
  }
}
