import type { FileHandle } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { errnoOf } from "@hawser/base";
import { sendFile } from "@hawser/linux";
import type { BlobContent } from "./registry-service.ts";

/** Both included; of an empty blob `end` is before `start`. */
interface Range {
  readonly start: number;
  readonly end: number;
}

/** The body of an answer, at the pace of the client. False: it has left, which it may at any time. */
export async function sendBlob(response: ServerResponse, blob: BlobContent, range: Range): Promise<boolean> {
  if (range.end < range.start) return true; // nothing can be asked of a bucket then
  const isEncrypted = response.req.socket !== undefined && "encrypted" in response.req.socket;
  if (blob.openFile === undefined || isEncrypted) return await sendChunks(response, blob.read(range));
  await using file = await blob.openFile();
  return await sendFromFile(response, file, range);
}

async function sendChunks(response: ServerResponse, bytes: AsyncIterable<Uint8Array>): Promise<boolean> {
  for await (const chunk of bytes) {
    if (!(await sendChunk(response, chunk))) return false;
  }
  return true;
}

const chunkBytes = 64 << 10;

/**
 * By turns: the kernel sends of the file what the socket takes at once; then a chunk goes through Node, which waits until the socket takes
 * more and sees that the connection is alive.
 */
async function sendFromFile(
  response: ServerResponse,
  file: FileHandle,
  { start, end }: Range,
): Promise<boolean> {
  const memory = Buffer.allocUnsafeSlow(Math.max(1, Math.min(chunkBytes, end + 1 - start)));
  for (let position = start; position <= end; ) {
    const { bytesRead } = await file.read(memory, 0, Math.min(memory.length, end + 1 - position), position);
    if (bytesRead === 0) throw new Error("a blob's file is shorter than it was");
    if (!(await sendChunk(response, memory.subarray(0, bytesRead)))) return false;
    position += bytesRead;
    const { socket } = response;
    if (socket === null) return false;
    try {
      position += await sendFile(socket, { fd: file.fd, position, length: end + 1 - position });
    } catch (error) {
      if (!["EPIPE", "ECONNRESET"].includes(errnoOf(error) ?? "")) throw error;
      response.destroy();
      return false;
    }
  }
  return true;
}

/** Returns when the kernel has it: its memory may be used again. False: the client has left. */
async function sendChunk(response: ServerResponse, chunk: Uint8Array): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<void>();
  response.once("close", resolve);
  response.write(chunk, () => resolve());
  await promise;
  response.off("close", resolve);
  return response.socket?.destroyed === false;
}
