import type { Socket } from "node:net";

/** Node's own, undocumented as the handle is: where `onread` of node:net is kept, and what has a handle read there. */
interface Slots {
  readonly memory: symbol;
  readonly callback: symbol;
  readonly handle: { useUserBuffer(memory: Buffer): void };
}

function slotsOf(socket: Socket): Slots | undefined {
  const symbols = Object.getOwnPropertySymbols(socket);
  const named = (name: string) => symbols.find(({ description }) => description === name);
  const [memory, callback] = [named("kBuffer"), named("kBufferCb")];
  const { _handle: handle } = socket as Socket & { _handle?: Partial<Slots["handle"]> | null };
  if (memory === undefined || callback === undefined || typeof handle?.useUserBuffer !== "function")
    return undefined;
  return { memory, callback, handle: handle as Slots["handle"] };
}

/** Whether `divertSocket` can be called. */
export function isDivertible(socket: Socket): boolean {
  return slotsOf(socket) !== undefined;
}

/**
 * From now on what comes on a connection is given to `take`, past its stream, in memory that is used again: as `onread` of node:net has it,
 * but for a connection that is there already, and also for one with encryption through a proxy's tunnel, where node:tls does not heed that.
 * `resume` begins, and goes on when `take` has returned false. `end`, `close` and `error` come as ever.
 *
 * @param options.memory may be that of several connections
 * @param options.take gets what is good until it returns; false: read no more for now
 * @returns what had come before and nobody has read
 */
export function divertSocket(
  socket: Socket,
  { memory, take }: { readonly memory: Buffer; readonly take: (bytes: Buffer) => boolean },
): Buffer {
  const slots = slotsOf(socket);
  if (slots === undefined) throw new Error("who diverts a connection asks whether that can be done");
  socket.pause();
  const unread: Buffer[] = [];
  for (let chunk: unknown = socket.read(); chunk !== null; chunk = socket.read())
    unread.push(chunk as Buffer);
  Object.assign(socket, {
    [slots.memory]: memory,
    [slots.callback]: (length: number) => take(memory.subarray(0, length)),
  });
  slots.handle.useUserBuffer(memory);
  return Buffer.concat(unread);
}
