import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { socketPair } from "@hawser/linux";
import { closeGently } from "./close-gently.ts";

/**
 * Give another process a connection that only this one can read: it gets one end of a pair, and what comes out of the other
 * goes to the client and back, ends of either direction included. When `take` fails, the connection is as it was.
 *
 * @throws what `take` throws
 */
export async function relayTo(
  client: Socket,
  take: (end: { readonly fd: number; readonly unread: Uint8Array }) => Promise<void>,
): Promise<void> {
  const [ours, theirs] = socketPair();
  const end = new Socket({ fd: ours, allowHalfOpen: true });
  try {
    await take({ fd: theirs, unread: new Uint8Array() });
  } catch (error) {
    end.destroy();
    throw error;
  } finally {
    closeSync(theirs);
  }
  for (const socket of [client, end]) socket.on("error", () => {}); // the close that follows says it
  if (client.destroyed) end.destroy(); // its close has been told already
  client.once("close", () => end.destroy());
  for (const event of ["end", "close"] as const) end.once(event, () => closeGently(client));
  client.pipe(end);
  end.pipe(client, { end: false });
}
