import { connect, type Socket } from "node:net";
import { eventually } from "@hawser/base/testing";

export interface RawClient extends Disposable {
  readonly socket: Socket;
  /** What came until it matches. */
  until(pattern: RegExp): Promise<string>;
  /** All that came until the server ended. */
  untilEnd(): Promise<string>;
  ended(): boolean;
}

/** A client that sends bytes as they are, half-closes when told to, and keeps what it gets, as Latin-1 text. */
export function openRawClient(path: string): RawClient {
  const socket = connect({ path, allowHalfOpen: true });
  const chunks: Buffer[] = [];
  let ended = false;
  const text = () => Buffer.concat(chunks).toString("latin1");
  socket.on("data", (chunk) => chunks.push(chunk));
  for (const event of ["end", "error", "close"]) {
    socket.on(event, () => {
      ended = true;
    });
  }
  return {
    socket,
    ended: () => ended,
    until: (pattern) =>
      eventually(() => (pattern.test(text()) ? text() : undefined), {
        deadlineMs: 5000,
        what: String(pattern),
      }),
    async untilEnd() {
      await eventually(() => ended, { deadlineMs: 5000, what: "end of connection" });
      return text();
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}
