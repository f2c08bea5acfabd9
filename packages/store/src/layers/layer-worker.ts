import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { TarParser } from "@hawser/base";
import { confineThread, releaseThread } from "@hawser/linux";
import { ChunkRing } from "./chunk-ring.ts";
import { completeFolders } from "./complete-folders.ts";
import { expandArchive } from "./expand-archive.ts";
import { LayerCommands } from "./layer-commands.ts";
import type { FoldersWork, LayerReport, UnpackWork } from "./layer-work.ts";
import { LayerWriter } from "./layer-writer.ts";

/** What was expanded is hashed and written while the processor's cache has it. */
const chunkBytes = 256 * 1024;

async function unpack({ from, folder, limits }: UnpackWork): Promise<LayerReport> {
  confineThread(folder);
  const hash = createHash("sha256");
  const parser = new TarParser({ maxEntries: limits.maxEntries });
  const writer = new LayerWriter();
  // A plain archive is hashed once.
  let isHashed = false;
  const take = (chunk: Uint8Array) => {
    if (!isHashed) hash.update(chunk);
    for (const event of parser.feed(chunk)) writer.take(event);
  };
  let archiveDigest: string | undefined;
  let knownDigest: string | undefined;
  try {
    if (from instanceof SharedArrayBuffer) for (const chunk of new ChunkRing(from).take()) take(chunk);
    else {
      const memory = Buffer.allocUnsafeSlow(chunkBytes);
      const onPlain = () => {
        isHashed = from.digest !== undefined || from.arriving?.algorithm === "sha256";
      };
      archiveDigest = await expandArchive(from, { commands, room: () => memory, take, onPlain });
      knownDigest = from.digest ?? archiveDigest;
    }
    parser.finish();
    const plainDigest = isHashed ? knownDigest : undefined;
    return {
      kind: "unpacked",
      implicitFolders: writer.finish(),
      diffId: plainDigest ?? `sha256:${hash.digest("hex")}`,
      archiveDigest,
      sizeBytes: writer.sizeBytes,
    };
  } finally {
    writer.close();
  }
}

// Threads share their starter's root. Node's thread pool, which goes on to serve the whole process, must exist before.
await stat("/");
const commands = new LayerCommands<UnpackWork | FoldersWork>();
await commands.serve(async (work) => {
  if (work.kind === "folders") {
    completeFolders(work.paths, work);
    return { kind: "completed" };
  }
  const done = await unpack(work);
  releaseThread();
  return done;
});
