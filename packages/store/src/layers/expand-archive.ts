import { createHash } from "node:crypto";
import { readSync } from "node:fs";
import { decompress } from "./decompress.ts";
import { type LayerCommands, report } from "./layer-commands.ts";
import type { ArchiveFile } from "./layer-work.ts";

const readBytesAtOnce = 1 << 20;
const progressStepBytes = 4 << 20;

/**
 * Read an archive, which may still be coming, on this thread, and give what is in it to `take`, good until that returns. Says on the
 * way how much was read.
 *
 * @param options.room where to expand the next bytes to
 * @param options.onPlain called before the first of them when there is no compression
 * @returns what the archive hashes to as it is, where it was still coming
 * @throws {Fault} as `decompress`; what `take` throws
 */
export async function expandArchive(
  { fd, arriving, limits }: ArchiveFile,
  options: {
    readonly commands: Pick<LayerCommands<never>, "arrivalBeyond">;
    readonly room: () => Uint8Array;
    readonly take: (chunk: Uint8Array) => void;
    readonly onPlain?: () => void;
  },
): Promise<string | undefined> {
  const { commands, take, ...toExpand } = options;
  const hash = arriving && createHash(arriving.algorithm);
  const memory = Buffer.allocUnsafeSlow(readBytesAtOnce);
  let readBytes = 0;
  let reportedBytes = 0;
  const source = async function* () {
    for (;;) {
      if (arriving !== undefined && !(await commands.arrivalBeyond(readBytes, arriving))) return;
      // Not a stream: destroying one would close the starter's file.
      const length = readSync(fd, memory, 0, memory.length, readBytes);
      if (length === 0) return;
      const chunk = memory.subarray(0, length);
      hash?.update(chunk);
      readBytes += length;
      if (readBytes - reportedBytes >= progressStepBytes) {
        reportedBytes = readBytes;
        report({ kind: "progress", readBytes });
      }
      yield chunk;
    }
  };
  const hasDigest = hash !== undefined;
  for await (const chunk of decompress(source(), limits, { ...toExpand, hasDigest })) take(chunk);
  return hash && `${arriving?.algorithm}:${hash.digest("hex")}`;
}
