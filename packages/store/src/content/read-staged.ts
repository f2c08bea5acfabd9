import { storeFaults } from "../faults.ts";
import type { StagedBlob } from "./content-store.ts";

/** All of a small blob. @throws {Fault} `invalid-argument`, naming `what`, when it is larger */
export async function readStaged(
  blob: StagedBlob,
  { what, maxBytes }: { readonly what: string; readonly maxBytes: number },
): Promise<Buffer> {
  if (blob.sizeBytes > maxBytes) throw storeFaults.BLOB_TOO_LARGE(what, maxBytes);
  await using file = await blob.open();
  return await file.readFile();
}
