import type { Socket } from "node:net";
import { constants } from "node:os";
import type { EngineClient } from "@hawser/api/client";
import { dispatch } from "../dispatch.ts";
import { cliFaults } from "../faults.ts";
import { openSession, type Surroundings } from "../open-session.ts";
import { encodeRelayFrame, type RelayFrame } from "./frames.ts";
import type { Hello } from "./hello.ts";
import { RelayedInput, RelayedOutput } from "./relayed-streams.ts";

type SignalListener = (name: NodeJS.Signals) => void;

/** One command of a stub: its streams, signals and terminal are at the other end of a socket. */
export class RelayedSession {
  readonly #hello: Hello;
  readonly #socket: Socket;
  readonly #stdin: RelayedInput;
  readonly #stdout: RelayedOutput;
  readonly #stderr: RelayedOutput;
  readonly #listeners = new Map<NodeJS.Signals, Set<SignalListener>>();
  #client: EngineClient | undefined;
  #begun = false;
  #gone = false;

  constructor(hello: Hello, socket: Socket) {
    this.#hello = hello;
    this.#socket = socket;
    const [stdin, stdout, stderr] = hello.terminals;
    this.#stdin = new RelayedInput({ isTTY: stdin, ask: () => this.#send("N") });
    this.#stdout = new RelayedOutput(socket, { kind: "O", isTTY: stdout });
    this.#stderr = new RelayedOutput(socket, { kind: "R", isTTY: stderr });
  }

  /** What the stub says; the command begins when it says go. @throws {Fault} `invalid-argument` for what no stub says */
  take({ kind, bytes }: RelayFrame): void {
    switch (kind) {
      case "G":
        if (this.#begun) throw cliFaults.RELAY_BROKEN("a second go");
        this.#begun = true;
        void this.#run();
        return;
      case "I":
        this.#stdin.push(Buffer.from(bytes));
        return;
      case "E":
        this.#stdin.push(null);
        return;
      case "S":
        this.#signal(bytes[0] ?? 0);
        return;
      case "W":
        if (bytes.length !== 4) throw cliFaults.RELAY_BROKEN("a size that is none");
        this.#stdout.resize({ rows: bytes.readUInt16BE(0), columns: bytes.readUInt16BE(2) });
        return;
      default:
        throw cliFaults.RELAY_BROKEN("an unknown letter");
    }
  }

  /** The stub is gone: whatever the command still does with the engine ends, as when its process is killed. */
  abandon(): void {
    this.#gone = true;
    this.#client?.destroy();
    for (const stream of [this.#stdin, this.#stdout, this.#stderr]) stream.destroy();
  }

  /** Do the command, and tell the stub its exit code. A command's failures are its output and its code. */
  async #run(): Promise<void> {
    const code = await dispatch({
      argv: this.#hello.argv,
      openSession: (flags) =>
        openSession(flags, this.#surroundings(), {
          onClient: (client) => {
            this.#client = client;
            if (this.#gone) client.destroy();
          },
        }),
      stdout: this.#stdout,
      stderr: this.#stderr,
    });
    await Promise.all([this.#stdout, this.#stderr].map(flushed));
    this.#send("X", [code & 0xff]);
    this.#socket.end();
    this.#client?.destroy();
  }

  #surroundings(): Surroundings {
    const { environment, workingDir } = this.#hello;
    return {
      environment,
      workingDir,
      stdin: this.#stdin,
      stdout: this.#stdout,
      stderr: this.#stderr,
      rawMode: () => {
        if (this.#stdin.isTTY) this.#send("T", [1]);
        return { settled: Promise.resolve(), [Symbol.dispose]: () => this.#send("T", [0]) };
      },
      onSignal: (names, listener) => this.#listen(names, listener),
    };
  }

  #listen(names: readonly NodeJS.Signals[], listener: SignalListener): Disposable {
    for (const name of names) {
      const listeners = this.#listeners.get(name) ?? new Set();
      this.#listeners.set(name, listeners.add(listener));
    }
    this.#tellSignals();
    return {
      [Symbol.dispose]: () => {
        for (const name of names) this.#listeners.get(name)?.delete(listener);
        this.#tellSignals();
      },
    };
  }

  /** The stub keeps from doing by themselves the signals that somebody listens for. */
  #tellSignals(): void {
    const wanted = [...this.#listeners].filter(([, listeners]) => listeners.size > 0);
    this.#send(
      "L",
      wanted.map(([name]) => constants.signals[name]),
    );
  }

  #signal(number: number): void {
    for (const [name, listeners] of this.#listeners) {
      if (constants.signals[name] !== number) continue;
      for (const listener of listeners) listener(name);
    }
  }

  #send(kind: string, bytes: readonly number[] = []): void {
    if (this.#socket.writable) this.#socket.write(encodeRelayFrame(kind, Uint8Array.from(bytes)));
  }
}

/** Resolves when all that was written is on its way, or nobody is there to take it. */
async function flushed(stream: RelayedOutput): Promise<void> {
  if (stream.destroyed || stream.writableLength === 0) return;
  await new Promise((resolve) => stream.write("", resolve));
}
