import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { abortable, errnoOf, type Fault } from "@hawser/base";
import { connectUnix } from "@hawser/linux";
import { runtimeFaults } from "../faults.ts";
import { ControlConnection } from "./control-connection.ts";
import type { Exit } from "./exit-record.ts";
import { type FieldValue, type Frame, numberField, textField, timeFieldMs } from "./frame.ts";
import { ReservedAttach } from "./reserved-attach.ts";
import { runtimeFault } from "./runtime-error.ts";
import { type AttachOptions, attachFields, openStream } from "./stream-connection.ts";

export interface Started {
  readonly pid: number;
  /** Milliseconds since 1970, with a fraction. */
  readonly startedAtMs: number;
}

export interface TerminalSize {
  readonly height: number;
  readonly width: number;
}

/** A further process in a container. */
export interface ExecOptions extends AttachOptions {
  /** Path of the process file (`buildExecProcess`, `formatRuntimeSpec`). */
  readonly process: string;
  readonly tty: boolean;
  readonly height?: number;
  readonly width?: number;
}

type ExecExitListener = (execId: string, code: number) => void;

/**
 * A container's monitor, over a control connection to it. The container does not need it: when this object goes, or this
 * process dies, the container runs on, and `Monitor.reconnect` finds it again.
 *
 *     listening → started → exited → gone
 *              ↘ started rejects → gone
 */
export class Monitor implements Disposable {
  /** Attaches are accepted; the container's first process has not begun yet. */
  readonly listening: Promise<void>;
  /**
   * The first process runs its program. Rejects with what Docker's clients expect when it does not (`invalid-argument`:
   * the command or a mount is to blame), `unavailable` when the monitor died first.
   */
  readonly started: Promise<Started>;
  /** The first process has ended and its output is written. Rejects as `started`, or when the monitor died first. */
  readonly exited: Promise<Exit>;
  /** Cgroups and mounts are gone, or the monitor is. */
  readonly gone: Promise<void>;

  readonly #dir: string;
  readonly #control: ControlConnection;
  readonly #listening = Promise.withResolvers<void>();
  readonly #started = Promise.withResolvers<Started>();
  readonly #exited = Promise.withResolvers<Exit>();
  readonly #gone = Promise.withResolvers<void>();
  readonly #reconnected = Promise.withResolvers<void>();
  readonly #oomListeners = new Set<() => void>();
  readonly #detachListeners = new Set<(execId?: string) => void>();
  readonly #execListeners = new Set<ExecExitListener>();
  #pid = 0;
  #execs: readonly { readonly id: string; readonly pid: number }[] = [];
  #isStarting = true;
  #failing = false;
  #disposed = false;

  /**
   * @param fd a control connection, on which `start` or `control` has been sent; the monitor's from now on
   * @param dir the container's run directory
   */
  constructor(fd: number, dir: string) {
    this.#dir = dir;
    this.listening = this.#listening.promise;
    this.started = this.#started.promise;
    this.exited = this.#exited.promise;
    this.gone = this.#gone.promise;
    // Each is looked at by those whom it concerns; a failure that nobody waits for is no crash.
    for (const promise of [this.listening, this.started, this.exited, this.#reconnected.promise]) {
      promise.catch(() => {});
    }
    this.#control = new ControlConnection(fd, {
      onNotice: (frame) => this.#notice(frame),
      onClose: () => this.#lost(),
    });
  }

  /**
   * Find the monitor of the container whose run directory this is; `undefined` when there is none any more.
   *
   * @throws {Fault} `unavailable` when something is there but does not answer as a monitor does.
   */
  static async reconnect(
    dir: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Monitor | undefined> {
    options.signal?.throwIfAborted();
    let fd: number;
    try {
      fd = connectUnix(join(dir, "monitor.sock"));
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ECONNREFUSED") return undefined;
      throw error;
    }
    const monitor = new Monitor(fd, dir);
    try {
      monitor.#control.send("control");
      await abortable(monitor.#reconnected.promise, options.signal);
      return monitor;
    } catch {
      monitor.#control.close();
      options.signal?.throwIfAborted();
      return undefined; // it ended between our connecting and its answering
    }
  }

  /** Its process id; 0 before it listens. */
  get pid(): number {
    return this.#pid;
  }

  /** Exec sessions that ran when this connection was made (`reconnect`). */
  get execs(): readonly { readonly id: string; readonly pid: number }[] {
    return this.#execs;
  }

  /** The first process has not begun yet, as far as is known. */
  get isStarting(): boolean {
    return this.#isStarting;
  }

  /** Called each time the kernel kills a process of the container for memory. Returns what takes the listener away. */
  onOom(listener: () => void): () => void {
    this.#oomListeners.add(listener);
    return () => this.#oomListeners.delete(listener);
  }

  /** Called when a client has left by its detach keys: of the container's own streams, or of an exec's. */
  onDetach(listener: (execId?: string) => void): () => void {
    this.#detachListeners.add(listener);
    return () => this.#detachListeners.delete(listener);
  }

  /** Called when an exec's process has ended and its output is written. Returns what takes the listener away. */
  onExecExit(listener: ExecExitListener): () => void {
    this.#execListeners.add(listener);
    return () => this.#execListeners.delete(listener);
  }

  /** Signal the first process, or an exec's. @throws {Fault} `conflict` when it does not run, `not-found`, `unavailable`. */
  async kill(signal: number, options: { readonly exec?: string } = {}): Promise<void> {
    await this.#control.command("kill", { what: "send a signal", fields: { signal, exec: options.exec } });
  }

  /** @throws {Fault} `conflict` without a terminal or a process, `not-found`, `unavailable`. */
  async resize(size: TerminalSize, options: { readonly exec?: string } = {}): Promise<void> {
    const { height, width } = size;
    await this.#control.command("resize", {
      what: "resize the terminal",
      fields: { height, width, exec: options.exec },
    });
  }

  /**
   * Let a start that is on its way fail: its OCI runtime is killed, and `started` rejects.
   * @throws {Fault} `conflict` when the container is not being started any more, `unavailable`.
   */
  async giveUp(): Promise<void> {
    await this.#control.command("give-up", { what: "give up the start", fields: {} });
  }

  /** Write to a new file at the log's path: the old one was moved away. @throws {Fault} `unavailable` */
  async reopenLog(): Promise<void> {
    await this.#control.command("log-reopen", { what: "reopen the log", fields: {} });
  }

  /**
   * Attach to the container's streams. Ending the writing side is the end of input; destroying the stream detaches.
   *
   * @throws {Fault} `unavailable` when the monitor is gone.
   */
  async openAttach(options: AttachOptions & { readonly signal?: AbortSignal }): Promise<Socket> {
    const { stream } = await this.#open("attach", attachFields(options), { ...options, what: "attach" });
    return stream;
  }

  /**
   * Attach a client of this process' to the container's streams and let go of it: the monitor serves the descriptor, of
   * which the caller closes its own copy. Returns when the monitor has it.
   *
   * @throws {Fault} `unavailable` when the monitor is gone.
   */
  async handOver(
    clientFd: number,
    options: AttachOptions & { readonly signal?: AbortSignal },
  ): Promise<void> {
    const { stream } = await this.#open("attach", attachFields(options), {
      ...options,
      clientFd,
      what: "attach",
    });
    stream.destroy();
  }

  /**
   * Keep a place for a client that comes later (`ReservedAttach`), so that whoever replays the log for it before misses
   * nothing: output from now on waits for it.
   *
   * @throws {Fault} `unavailable` when the monitor is gone.
   */
  async reserve(options: AttachOptions): Promise<ReservedAttach> {
    const { answer, stream } = await this.#open("reserve", attachFields(options), { what: "attach" });
    return new ReservedAttach(answer, stream);
  }

  /**
   * Start a further process for a client that is handed over (`clientFd`, as with `handOver`), or for nobody. Returns when
   * it runs; its end comes through `onExecExit`.
   *
   * @throws {Fault} with Docker's words when it does not run; `unavailable` when the monitor is gone.
   */
  async exec(
    execId: string,
    options: ExecOptions & { readonly clientFd?: number; readonly signal?: AbortSignal },
  ): Promise<{ readonly pid: number }> {
    const { clientFd } = options;
    const { pid, stream } = await this.#exec(execId, options, { detach: clientFd === undefined, clientFd });
    stream.destroy();
    return { pid };
  }

  /** As `exec`, with the process' streams in hand. */
  async openExec(
    execId: string,
    options: ExecOptions & { readonly signal?: AbortSignal },
  ): Promise<{ readonly pid: number; readonly stream: Socket }> {
    return await this.#exec(execId, options, { detach: false });
  }

  /** Let go of the monitor; the container goes on. Promises that have not settled never will. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#control.close();
  }

  async #exec(
    execId: string,
    options: ExecOptions & { readonly signal?: AbortSignal },
    how: { readonly detach: boolean; readonly clientFd?: number | undefined },
  ): Promise<{ readonly pid: number; readonly stream: Socket }> {
    const fields = {
      exec: execId,
      process: options.process,
      tty: options.tty,
      height: options.height || undefined,
      width: options.width || undefined,
      detach: how.detach,
      ...(how.detach ? {} : attachFields(options)),
    };
    const { answer, stream } = await this.#open("exec", fields, {
      ...(options.signal && { signal: options.signal }),
      ...(options.initial && !how.detach && { initial: options.initial }),
      ...(how.clientFd !== undefined && { clientFd: how.clientFd }),
      what: "start a process in the container",
    });
    return { pid: numberField(answer, "pid"), stream };
  }

  async #open(
    kind: "attach" | "exec" | "reserve",
    fields: Readonly<Record<string, FieldValue>>,
    options: {
      readonly initial?: Uint8Array;
      readonly clientFd?: number;
      readonly signal?: AbortSignal;
      readonly what: string;
    },
  ): Promise<{ readonly answer: Frame; readonly stream: Socket }> {
    const socketPath = join(this.#dir, "monitor.sock");
    const { initial, clientFd, signal, what } = options;
    const opened = await openStream({
      socketPath,
      kind,
      fields,
      what,
      ...(initial && { initial }),
      ...(clientFd !== undefined && { clientFd }),
      ...(signal && { signal }),
    });
    if (["attached", "reserved", "started"].includes(opened.answer.kind)) return opened;
    opened.stream.destroy();
    const text = textField(opened.answer, "message") ?? "";
    if (kind !== "exec") throw runtimeFaults.MONITOR_REFUSED(what, text);
    const { process } = fields;
    const program = typeof process === "string" ? await readProgram(process) : undefined;
    throw runtimeFault({ text, verb: "exec", ...(program !== undefined && { program }) });
  }

  #notice(frame: Frame): void {
    switch (frame.kind) {
      case "listening":
        this.#pid = numberField(frame, "monitor");
        this.#listening.resolve();
        return;
      case "started":
        this.#start(frame);
        return;
      case "failed":
        this.#failing = true;
        void this.#fail(frame);
        return;
      case "oom":
        for (const listener of this.#oomListeners) listener();
        return;
      case "detached":
        for (const listener of this.#detachListeners) listener(textField(frame, "exec"));
        return;
      case "exited":
        this.#exited.resolve(exitOf(frame));
        return;
      case "exec-exited":
        for (const listener of this.#execListeners) {
          listener(textField(frame, "exec") ?? "", numberField(frame, "code"));
        }
        return;
      case "gone":
        this.#gone.resolve();
        return;
      case "state":
        this.#adopt(frame);
        return;
    }
  }

  /** The answer to `control`: what has happened so far. */
  #adopt(frame: Frame): void {
    const state = textField(frame, "state");
    this.#pid = numberField(frame, "monitor");
    if (textField(frame, "pid") !== undefined) this.#start(frame);
    if (state === "exited") this.#exited.resolve(exitOf(frame));
    this.#listening.resolve();
    this.#execs = (frame.fields.get("exec") ?? []).map((text) => {
      const separator = text.lastIndexOf(":");
      return { id: text.slice(0, separator), pid: Number(text.slice(separator + 1)) };
    });
    this.#reconnected.resolve();
  }

  #start(frame: Frame): void {
    this.#isStarting = false;
    this.#listening.resolve();
    this.#started.resolve({
      pid: numberField(frame, "pid"),
      startedAtMs: timeFieldMs(frame, "started-at"),
    });
  }

  async #fail(frame: Frame): Promise<void> {
    const text = textField(frame, "message") ?? "";
    const stage = textField(frame, "stage") ?? "internal";
    if (stage !== "runtime") {
      this.#reject(runtimeFaults.MONITOR_REFUSED("start the container", `${stage}: ${text}`));
      return;
    }
    const program = await readProgram(join(this.#dir, "config.json"));
    this.#reject(runtimeFault({ text, verb: "create", ...(program !== undefined && { program }) }));
  }

  #lost(): void {
    if (this.#disposed) return;
    this.#gone.resolve();
    if (!this.#failing) this.#reject(runtimeFaults.MONITOR_LOST("go on with the container"));
  }

  #reject(fault: Fault): void {
    this.#listening.reject(fault);
    this.#started.reject(fault);
    this.#exited.reject(fault);
    this.#reconnected.reject(fault);
  }
}

function exitOf(frame: Frame): Exit {
  return {
    code: numberField(frame, "code"),
    signal: numberField(frame, "signal"),
    oom: textField(frame, "oom") === "1",
    exitedAtMs: timeFieldMs(frame, "exited-at"),
  };
}

/** First word of the command in a `config.json` or process file, for an error's words; the runtime's own may not name it. */
async function readProgram(path: string): Promise<string | undefined> {
  try {
    const json = JSON.parse(await readFile(path, "utf8")) as {
      readonly args?: readonly string[];
      readonly process?: { readonly args?: readonly string[] };
    };
    return (json.process ?? json).args?.[0];
  } catch {
    return undefined;
  }
}
