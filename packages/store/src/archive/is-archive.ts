import { Fault, readTar } from "@hawser/base";
import { decompress } from "../layers/decompress.ts";
import { defaultStoreLimits } from "../limits.ts";
import { withoutForeignCompression } from "./foreign-compression.ts";

/**
 * Whether these bytes, plain or compressed in a way that is known, begin with an entry of a tar archive (moby's `IsArchivePath`).
 * Reads no more than that takes.
 *
 * @throws what `source` throws; {Fault} `unavailable` where what expands them is not installed
 */
export async function isArchive(source: AsyncIterable<Uint8Array>): Promise<boolean> {
  try {
    const plain = decompress(withoutForeignCompression(source), defaultStoreLimits);
    for await (const _ of readTar(plain)) return true;
    return false;
  } catch (error) {
    if (Fault.is(error, "invalid-argument") || Fault.is(error, "data-loss")) return false;
    throw error;
  }
}
