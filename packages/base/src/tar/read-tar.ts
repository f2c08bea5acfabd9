import type { TarEntry } from "./tar-entry.ts";
import { type TarLimits, TarParser } from "./tar-parser.ts";
import type { TarSource } from "./tar-writer.ts";

/** An entry and its bytes, which can be read once, before the next entry is asked for; unread bytes are skipped. */
export interface TarMember {
  readonly entry: TarEntry;
  /** As stored: a sparse file's holes are left out. */
  readonly data: AsyncIterable<Buffer>;
}

/** A member as one to write: its bytes are read then, so before the next member is asked for. */
export function tarSourceOf({ entry, data }: TarMember): TarSource {
  const { sparse: _sparse, sizeBytes, ...rest } = entry;
  return { ...rest, ...(entry.type === "file" && { content: { sizeBytes, open: () => data } }) };
}

/**
 * The entries of a tar archive, one after the other, at the pace of the reader. Faults as `TarParser`'s; what the
 * stream throws passes through. Leaving the loop early closes the stream.
 */
export async function* readTar(
  stream: AsyncIterable<Uint8Array>,
  limits: Partial<TarLimits> = {},
): AsyncGenerator<TarMember, void, undefined> {
  const events = parse(stream, limits);
  try {
    for (;;) {
      const next = await events.next();
      if (next.done === true) return;
      const event = next.value;
      if (event.kind !== "entry") continue;
      const data = entryData(events);
      yield { entry: event.entry, data };
      for await (const _ of data); // what the reader left
    }
  } finally {
    await events.return();
  }
}

async function* parse(stream: AsyncIterable<Uint8Array>, limits: Partial<TarLimits>) {
  const parser = new TarParser(limits);
  for await (const chunk of stream) yield* parser.feed(chunk);
  parser.finish();
}

async function* entryData(events: ReturnType<typeof parse>): AsyncGenerator<Buffer, void, undefined> {
  for (;;) {
    const next = await events.next();
    if (next.done === true || next.value.kind === "end") return;
    if (next.value.kind === "data") yield next.value.bytes;
  }
}
