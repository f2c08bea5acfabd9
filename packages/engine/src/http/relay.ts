import { closeSync } from "node:fs";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { socketPair } from "@hawser/linux";

/**
 * Give another process a connection that only this one can read: it gets one end of a pair, and what comes out of the other
 * goes to the client and back, ends of either direction included. When `take` fails, the connection is as it was.
 *
 * @param options.close called when nothing more comes for the client
 * @throws what `take` throws
 */
export async function relayTo(
  client: Duplex,
  options: {
    readonly take: (end: { readonly fd: number; readonly unread: Uint8Array }) => Promise<void>;
    readonly close: () => void;
  },
): Promise<void> {
  const [ours, theirs] = socketPair();
  const end = new Socket({ fd: ours, allowHalfOpen: true });
  try {
    await options.take({ fd: theirs, unread: new Uint8Array() });
  } catch (error) {
    end.destroy();
    throw error;
  } finally {
    closeSync(theirs);
  }
  for (const socket of [client, end]) socket.on("error", () => {}); // the close that follows says it
  if (client.destroyed) end.destroy(); // its close has been told already
  client.once("close", () => end.destroy());
  for (const event of ["end", "close"] as const) end.once(event, options.close);
  client.pipe(end);
  end.pipe(client, { end: false });
}
