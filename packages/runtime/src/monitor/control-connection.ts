import { Socket } from "node:net";
import { Fault } from "@hawser/base";
import { runtimeFaults } from "../faults.ts";
import { encodeFrame, type FieldValue, type Frame, FrameDecoder, textField } from "./frame.ts";

/**
 * A control connection to a monitor: commands and their answers, matched by `ref`, and notices. It owns the descriptor.
 */
export class ControlConnection {
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder();
  readonly #waiting = new Map<string, PromiseWithResolvers<void>>();
  #nextRef = 1;

  /**
   * @param fd connected to the monitor; this connection's from now on
   * @param events.onNotice is given each frame that answers no command, in order
   * @param events.onClose is called once, when the connection has ended, for whatever reason
   */
  constructor(
    fd: number,
    events: { readonly onNotice: (frame: Frame) => void; readonly onClose: () => void },
  ) {
    this.#socket = new Socket({ fd, readable: true, writable: true });
    this.#socket.on("data", (chunk) => this.#receive(chunk, events.onNotice));
    this.#socket.on("error", () => {}); // a close follows, which is what counts
    this.#socket.on("close", () => {
      for (const answer of this.#waiting.values()) answer.reject(undefined);
      this.#waiting.clear();
      events.onClose();
    });
  }

  /** Send a frame that has no answer of its own. */
  send(kind: string, fields: Readonly<Record<string, FieldValue>> = {}): void {
    this.#socket.write(encodeFrame(kind, fields));
  }

  /**
   * Send a command and wait for its answer.
   *
   * @param what completes "Cannot …" in the fault
   * @throws {Fault} `conflict` when nothing runs or there is no terminal, `not-found` without the exec, `unavailable` when
   *   the monitor goes away.
   */
  async command(
    kind: string,
    options: { readonly what: string; readonly fields: Readonly<Record<string, FieldValue>> },
  ): Promise<void> {
    if (this.#socket.destroyed) throw runtimeFaults.MONITOR_LOST(options.what);
    const ref = String(this.#nextRef);
    this.#nextRef += 1;
    const answer = Promise.withResolvers<void>();
    this.#waiting.set(ref, answer);
    this.#socket.write(encodeFrame(kind, { ref, ...options.fields }));
    try {
      await answer.promise;
    } catch (error) {
      throw explain(error, options.what);
    }
  }

  /** Close without a word; the container goes on. */
  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Uint8Array, onNotice: (frame: Frame) => void): void {
    try {
      this.#decoder.push(chunk);
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
        if (!this.#settle(frame)) onNotice(frame);
      }
    } catch {
      this.#socket.destroy(); // no frames, no monitor: as if it were gone
    }
  }

  /** True when the frame is the answer to a command. */
  #settle(frame: Frame): boolean {
    const ref = textField(frame, "ref");
    if (ref === undefined || (frame.kind !== "done" && frame.kind !== "error")) return false;
    const answer = this.#waiting.get(ref);
    this.#waiting.delete(ref);
    if (frame.kind === "done") answer?.resolve();
    else answer?.reject(frame);
    return true;
  }
}

/** An `error` frame, or nothing when the connection ended, as a fault. */
function explain(refusal: unknown, what: string): Fault {
  if (refusal === undefined) return runtimeFaults.MONITOR_LOST(what);
  const frame = refusal as Frame;
  switch (textField(frame, "code")) {
    case "not-running":
      return runtimeFaults.NOT_RUNNING(what);
    case "no-tty":
      return runtimeFaults.NO_TERMINAL(what);
    case "no-such-exec":
      return runtimeFaults.NO_SUCH_EXEC(what);
    default:
      return runtimeFaults.MONITOR_REFUSED(what, textField(frame, "message") ?? "no reason given");
  }
}
