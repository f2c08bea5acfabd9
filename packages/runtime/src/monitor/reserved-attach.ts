import type { Socket } from "node:net";
import { runtimeFaults } from "../faults.ts";
import type { LogPosition } from "../logs/log-cursor.ts";
import { type Frame, numberField, textField } from "./frame.ts";
import { sendClient } from "./stream-connection.ts";

/**
 * A place at a container's streams that a client has not taken yet. The monitor keeps what the client is to see once it comes;
 * beyond some slack the container waits. Letting go of it without a client is a client that leaves.
 */
export class ReservedAttach implements Disposable {
  /** What came before is in the log, up to here; absent: there is no log. Its file is held open until the client comes. */
  readonly logEnd: LogPosition | undefined;
  readonly #stream: Socket;

  constructor(answer: Frame, stream: Socket) {
    const inode = textField(answer, "log-inode");
    this.logEnd =
      inode === undefined ? undefined : { inode: BigInt(inode), offsetBytes: numberField(answer, "log-end") };
    this.#stream = stream;
  }

  /**
   * Give the place to the client behind a descriptor, of which the caller closes its own copy.
   * @throws {Fault} `unavailable` when the monitor is gone.
   */
  async take(fd: number, initial: Uint8Array): Promise<void> {
    const answer = await sendClient(this.#stream, { fd, initial, what: "attach" });
    if (answer.kind !== "attached")
      throw runtimeFaults.MONITOR_REFUSED("attach", textField(answer, "message") ?? "");
  }

  [Symbol.dispose](): void {
    this.#stream.destroy();
  }
}
