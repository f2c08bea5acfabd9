import { Fault } from "@hawser/base";
import type { Digest } from "@hawser/oci";
import type { ContentStore } from "../content/content-store.ts";
import { storeFaults } from "../faults.ts";
import type { StoreLimits } from "../limits.ts";
import type { Garbage } from "./garbage.ts";
import type { IndexOrigin } from "./image-requests.ts";
import { storedBlob } from "./receive-layers.ts";
import { type StageDescribed, stageAttestations } from "./stage-attestations.ts";

interface Parts {
  readonly content: ContentStore;
  readonly garbage: Garbage;
  readonly limits: StoreLimits;
}

/** An index that is there with all that is said in it. */
export interface ReceivedIndex {
  readonly digest: Digest;
  /** It, and those that are not the image's own. */
  readonly blobs: ReadonlySet<Digest>;
}

/**
 * Begin to fetch an index and what is said in it: all of that is there when `done` gives it, or nothing, and `done` gives the fault.
 * Disposal ends what is under way, and collects what no image has got.
 */
export function beginIndex(
  origin: IndexOrigin,
  { garbage, ...parts }: Parts,
  options: { readonly signal?: AbortSignal },
): AsyncDisposable & { readonly done: Promise<ReceivedIndex | Fault> } {
  const ending = new AbortController();
  const signal = AbortSignal.any([ending.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const lease = new Set<Digest>();
  const leased = garbage.lease(lease);
  const done = receiveIndex(origin, { ...parts, lease, signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    if (Fault.is(error)) return error;
    throw error;
  });
  done.catch(() => {}); // whoever waits is told
  return {
    done,
    async [Symbol.asyncDispose]() {
      ending.abort();
      await Promise.allSettled([done]);
      await leased[Symbol.asyncDispose]();
    },
  };
}

async function receiveIndex(
  origin: IndexOrigin,
  context: Pick<Parts, "content" | "limits"> & { readonly lease: Set<Digest>; readonly signal: AbortSignal },
): Promise<ReceivedIndex> {
  const { content, limits, lease, signal } = context;
  const { digest, bytes, attestations } = origin;
  await using staged = new AsyncDisposableStack();
  const stage: StageDescribed = async (of, kind) => {
    lease.add(of.digest);
    if (await content.has(of.digest)) {
      const there = await content.get(of.digest);
      if (there.sizeBytes !== of.sizeBytes)
        throw storeFaults.BLOB_SIZE_MISMATCH(of.sizeBytes, there.sizeBytes);
      return storedBlob(content, there);
    }
    return staged.use(await content.stage(origin.open(of, { kind, signal }), { expected: of, signal }));
  };
  const said = await stageAttestations(attestations, { limits, stage });
  lease.add(digest);
  const index = staged.use(await content.stage([bytes], { expected: { digest }, signal }));
  for (const blob of [...said, index]) await blob.commit();
  return { digest, blobs: lease };
}
