import type { Digest } from "@hawser/oci";
import type { Scope } from "./authorizer.ts";
import type { EndpointResponse, RegistryEndpoint } from "./endpoint.ts";
import { registryFaults } from "./faults.ts";
import { readLargeBody } from "./read-large-body.ts";
import { type RetryPolicy, waitForRetry } from "./retry.ts";
import { isTransient, readBody } from "./transport.ts";

export interface BlobRequest {
  /** `library/busybox` */
  readonly repository: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly scopes: readonly Scope[];
  readonly retry: RetryPolicy;
  /** A chunk is good until the next one is asked for: its memory is used again. */
  readonly lent?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The bytes of a blob, exactly as many as announced, from the first host that gives them; after a failure the next try goes
 * on where the last one ended. What they hash to is the caller's to check.
 *
 * @throws {Fault} `data-loss` when the registry has another size, `unavailable` when it cannot be had
 */
export async function* fetchBlob(
  endpoints: readonly RegistryEndpoint[],
  request: BlobRequest,
): AsyncGenerator<Buffer, void, undefined> {
  const { sizeBytes, retry, signal } = request;
  let offset = 0;
  let failure: unknown;
  for (const endpoint of endpoints) {
    for (let attempt = 0; attempt <= retry.retries; ) {
      if (sizeBytes === offset) return;
      const before = offset;
      try {
        for await (const chunk of readFrom(endpoint, request, offset)) {
          offset += chunk.length;
          yield chunk;
        }
        return;
      } catch (error) {
        signal?.throwIfAborted();
        failure = error;
        if (!isTransient(error)) break;
      }
      attempt = offset > before ? 1 : attempt + 1;
      if (attempt <= retry.retries) await waitForRetry(retry, { attempt, signal });
    }
  }
  throw failure;
}

async function* readFrom(
  endpoint: RegistryEndpoint,
  request: BlobRequest,
  offset: number,
): AsyncGenerator<Buffer, void, undefined> {
  const { repository, digest, sizeBytes, scopes, signal, lent } = request;
  const response = await endpoint.request({
    method: "GET",
    path: `/${repository}/blobs/${digest}`,
    ...(offset > 0 && { headers: { range: `bytes=${offset}-` } }),
    scopes,
    accept: [200, 206],
    signal,
  });
  try {
    const { what } = response;
    // A server that knows no ranges begins at the beginning.
    let skip = response.status === 206 ? 0 : offset;
    checkAnnounced(response, { offset: response.status === 206 ? offset : 0, sizeBytes });
    let position = offset - skip;
    const body = (lent ? readLargeBody : readBody)(response, { what, signal });
    for await (const chunk of body) {
      position += chunk.length;
      if (position > sizeBytes) throw registryFaults.SIZE_LIE(what, sizeBytes, "more");
      const skipped = Math.min(skip, chunk.length);
      skip -= skipped;
      if (skipped < chunk.length) yield chunk.subarray(skipped);
    }
    if (position < sizeBytes) throw registryFaults.ENDED_EARLY(what, position, sizeBytes);
  } finally {
    response.body.destroy();
  }
}

/** Before anything is taken. @throws {Fault} `data-loss` */
function checkAnnounced(
  { status, headers, what }: EndpointResponse,
  { offset, sizeBytes }: { readonly offset: number; readonly sizeBytes: number },
): void {
  if (status === 206) {
    const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers["content-range"] ?? "") ?? [];
    if (Number(first) !== offset) {
      throw registryFaults.ANSWER_INVALID(
        what,
        `a range from ${offset} was wanted, it gave ${first ?? "none"}`,
      );
    }
    if (total !== "*" && Number(total) !== sizeBytes)
      throw registryFaults.SIZE_LIE(what, sizeBytes, `${total}`);
  }
  const length = headers["content-length"];
  if (length !== undefined && Number(length) !== sizeBytes - offset) {
    throw registryFaults.SIZE_LIE(what, sizeBytes, `${Number(length) + offset}`);
  }
}
