import { createHash } from "node:crypto";
import { abortable } from "@hawser/base";
import { type Digest, digestAlgorithm, parseDigest } from "@hawser/oci";
import type { StagedBlob } from "../content/content-store.ts";
import { storeFaults } from "../faults.ts";
import type { StoreLimits } from "../limits.ts";
import { decompress } from "./decompress.ts";

/** Read an archive, plain or compressed, to see whether it is what it claims to be. @throws {Fault} `data-loss`, `invalid-argument` */
export async function verifyArchive(
  blob: StagedBlob,
  {
    diffId,
    limits,
    signal,
  }: { readonly diffId: Digest; readonly limits: StoreLimits; readonly signal?: AbortSignal },
): Promise<void> {
  if (blob.arrival !== undefined) await abortable(blob.arrival.complete, signal);
  await using file = await blob.open();
  const hash = createHash("sha256");
  const stream = file.createReadStream({
    autoClose: false,
    highWaterMark: 1 << 20,
    ...(signal && { signal }),
  });
  const algorithm = digestAlgorithm(blob.digest);
  const archiveHash = createHash(algorithm);
  const archive = async function* () {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      archiveHash.update(chunk);
      yield chunk;
    }
  };
  for await (const chunk of decompress(archive(), limits)) hash.update(chunk);
  blob.arrival?.verify(parseDigest(`${algorithm}:${archiveHash.digest("hex")}`));
  const is = `sha256:${hash.digest("hex")}`;
  if (is !== diffId) throw storeFaults.LAYER_DIGEST_MISMATCH(String(diffId), is);
}
