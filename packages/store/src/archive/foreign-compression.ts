import { once } from "node:events";
import type { Socket } from "node:net";
import { errnoOf, openProgramStream } from "@hawser/base";
import { storeFaults } from "../faults.ts";
import { prepend, readHead } from "../layers/read-head.ts";

/** First bytes → what expands it: a program, as at dockerd, since Node knows neither. */
const expanders: readonly (readonly [string, string])[] = [
  ["\xfd7zXZ\0", "xz"],
  ["BZh", "bzip2"],
];
const longestMagic = 6;

/**
 * An archive without the compression that `decompress` does not know (xz, bzip2); any other as it is. Not for confined workers: it
 * starts a program.
 *
 * @throws {Fault} `data-loss` when it is damaged or ends early, `unavailable` where the program is not installed. What `source`
 *   throws passes through; ending early closes it, and ends the program.
 */
export async function* withoutForeignCompression(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = source[Symbol.asyncIterator]();
  try {
    const head = await readHead(chunks, longestMagic);
    const magic = head.toString("latin1", 0, longestMagic);
    const [, program] = expanders.find(([start]) => magic.startsWith(start)) ?? [];
    const whole = prepend(head, { [Symbol.asyncIterator]: () => chunks });
    yield* program === undefined ? whole : expand(whole, program);
  } finally {
    await chunks.return?.();
  }
}

async function* expand(
  source: AsyncIterable<Uint8Array>,
  program: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { socket, waitForEnd } = openProgramStream([program, "-dcq"], { env: {} });
  let failure: { readonly error: unknown } | undefined;
  const feed = async () => {
    try {
      for await (const chunk of source) {
        if (!socket.writable) return;
        if (!socket.write(chunk)) await Promise.race([once(socket, "drain"), once(socket, "close")]);
      }
      socket.end();
    } catch (error) {
      failure = { error };
      socket.destroy();
    }
  };
  const fed = feed();
  try {
    yield* untilBroken(socket);
    if (failure !== undefined) throw failure.error;
    const { status, stderr } = await waitForEnd();
    if (status === "exit status 127") throw storeFaults.COMPRESSION_PROGRAM_MISSING(program);
    if (status !== "exit status 0") throw storeFaults.COMPRESSION_DAMAGED(stderr.trim() || status);
  } finally {
    socket.destroy();
    await fed;
  }
}

/** What comes until the program ends; why it did not take its input is told by its exit status. */
async function* untilBroken(socket: Socket): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of socket) yield chunk as Buffer;
  } catch (error) {
    const code = errnoOf(error) ?? "";
    if (!["EPIPE", "ECONNRESET", "ERR_STREAM_PREMATURE_CLOSE"].includes(code)) throw error;
  }
}
