import { ChunkRing } from "./chunk-ring.ts";
import { expandArchive } from "./expand-archive.ts";
import { LayerCommands } from "./layer-commands.ts";
import type { ExpandWork } from "./layer-work.ts";

const commands = new LayerCommands<ExpandWork>();
await commands.serve(async ({ archive, ring: memory }) => {
  const ring = new ChunkRing(memory);
  const archiveDigest = await expandArchive(archive, {
    commands,
    room: () => ring.room(),
    take: (chunk) => ring.put(chunk),
  });
  ring.end();
  return { kind: "expanded", archiveDigest };
});
