import { formatTarHeader, type TarEntry } from "@hawser/base";
import { type TreeOptions, treeEvents } from "./tree-events.ts";

const blockBytes = 512;

/** A file or folder of a confined thread's root as a tar archive, without the two blocks at the end: see `treeEvents`. */
export function* tarTree(options: TreeOptions): Generator<Uint8Array, void, undefined> {
  let over = 0;
  for (const event of treeEvents(options)) {
    switch (event.kind) {
      case "entry":
        yield headerOf(event.entry);
        over = event.entry.sizeBytes % blockBytes;
        break;
      case "data":
        yield event.bytes;
        break;
      case "end":
        if (over !== 0) yield Buffer.alloc(blockBytes - over);
    }
  }
}

/** The end of an archive. */
export const tarEnd = Buffer.alloc(2 * blockBytes);

function headerOf(entry: TarEntry): Buffer {
  return formatTarHeader({ ...entry, content: { sizeBytes: entry.sizeBytes, open: noContent } });
}

async function* noContent() {}
