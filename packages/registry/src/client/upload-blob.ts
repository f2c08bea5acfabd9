import { Fault } from "@hawser/base";
import type { Digest } from "@hawser/oci";
import type { Scope } from "./authorizer.ts";
import type { EndpointResponse, RegistryEndpoint } from "./endpoint.ts";
import { registryFaults } from "./faults.ts";
import { type RetryPolicy, waitForRetry } from "./retry.ts";
import { discardBody, isTransient } from "./transport.ts";

/** Content to give to a registry. */
export interface BlobSource {
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** The bytes from `start` up to `end`; each call begins anew. */
  open(start: number, end: number): AsyncIterable<Uint8Array>;
}

export interface UploadRequest {
  readonly repository: string;
  readonly blob: BlobSource;
  /** Another repository of the same registry that may have the blob. */
  readonly mountFrom: string | undefined;
  readonly scopes: readonly Scope[];
  readonly retry: RetryPolicy;
  /** Bytes that have left, counted anew when something has to be sent again. */
  readonly onProgress?: (sentBytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

export type UploadOutcome =
  | { readonly kind: "exists" }
  | { readonly kind: "mounted"; readonly from: string }
  | { readonly kind: "uploaded" };

/** A piece of an upload that could not be sent in one; registries that say so want larger ones. */
const pieceBytes = 16 << 20;

/**
 * Have a registry take a blob: nothing when it has it, a mount when another of its repositories has, else one request with
 * all of it, and when that does not get through, pieces from where the registry stands. distribution-spec, "Push".
 *
 * @throws {Fault} what the registry says; `unavailable`
 */
export async function uploadBlob(endpoint: RegistryEndpoint, request: UploadRequest): Promise<UploadOutcome> {
  const { repository, blob, scopes, signal } = request;
  const head = await endpoint.request({
    method: "HEAD",
    path: `/${repository}/blobs/${blob.digest}`,
    scopes,
    accept: [200, 404],
    signal,
  });
  await discardBody(head);
  if (head.status === 200) return { kind: "exists" };
  const { mountFrom } = request;
  const answer = mountFrom === undefined ? undefined : await begin(endpoint, request, mountFrom);
  if (answer === "mounted") return { kind: "mounted", from: mountFrom ?? "" };
  await send(endpoint, request, answer);
  return { kind: "uploaded" };
}

async function send(
  endpoint: RegistryEndpoint,
  request: UploadRequest,
  first: URL | undefined,
): Promise<void> {
  const { blob, retry, signal } = request;
  let session = first;
  let whole = true;
  let refusal: Error | undefined;
  for (let attempt = 0; ; ) {
    try {
      session ??= await openSession(endpoint, request);
      if (whole) await sendWhole(endpoint, request, session);
      else await sendPieces(endpoint, request, session);
      return;
    } catch (error) {
      signal?.throwIfAborted();
      attempt++;
      // That the upload is gone says less than why it went.
      const isGone = Fault.is(error, "not-found");
      if (!isGone && error instanceof Error) refusal = error;
      if (attempt > retry.retries || !mayGoOn(error)) throw (isGone && refusal) || error;
      // A proxy in between may refuse what is large, or not live so long.
      whole = false;
      // An upload that the registry does not know any more begins anew.
      if (isGone || blob.sizeBytes === 0) session = undefined;
      await waitForRetry(retry, { attempt, signal });
    }
  }
}

function mayGoOn(error: unknown): boolean {
  if (isTransient(error)) return true;
  return (
    Fault.is(error) &&
    ["REGISTRY_FAILED", "TOO_MANY_REQUESTS", "REGISTRY_REFUSED", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"].includes(
      error.code,
    )
  );
}

async function openSession(endpoint: RegistryEndpoint, request: UploadRequest): Promise<URL> {
  const answer = await begin(endpoint, request, undefined);
  if (answer === "mounted")
    throw registryFaults.ANSWER_INVALID(request.repository, "it mounted what nobody asked for");
  return answer;
}

/** Begin an upload, or have a blob of another repository taken over. */
async function begin(
  endpoint: RegistryEndpoint,
  { repository, blob, scopes, signal }: UploadRequest,
  from: string | undefined,
): Promise<URL | "mounted"> {
  const query = from === undefined ? "" : `?mount=${blob.digest}&from=${encodeURIComponent(from)}`;
  const mountScopes: readonly Scope[] =
    from === undefined ? scopes : [...scopes, { repository: from, actions: "pull" }];
  const response = await endpoint.request({
    method: "POST",
    path: `/${repository}/blobs/uploads/${query}`,
    scopes: mountScopes,
    accept: from === undefined ? [202] : [201, 202],
    repeatable: true,
    signal,
  });
  await discardBody(response);
  return response.status === 201 ? "mounted" : locationOf(response);
}

async function sendWhole(endpoint: RegistryEndpoint, request: UploadRequest, session: URL): Promise<void> {
  await put(endpoint, request, { session, start: 0 });
}

/** From where the registry stands. */
async function sendPieces(endpoint: RegistryEndpoint, request: UploadRequest, session: URL): Promise<void> {
  const { blob, scopes, signal } = request;
  let { start, location, minBytes } = await readStatus(endpoint, request, session);
  while (blob.sizeBytes - start > Math.max(pieceBytes, minBytes)) {
    const end = start + Math.max(pieceBytes, minBytes);
    const response = await endpoint.request({
      method: "PATCH",
      path: location,
      headers: { "content-type": "application/octet-stream", "content-range": `${start}-${end - 1}` },
      content: contentOf(request, start, end),
      scopes,
      accept: [202],
      signal,
    });
    await discardBody(response);
    location = locationOf(response);
    start = end;
    minBytes = minimumOf(response);
  }
  await put(endpoint, request, { session: location, start });
}

/** The rest, and what all of it hashes to. */
async function put(
  endpoint: RegistryEndpoint,
  request: UploadRequest,
  { session, start }: { readonly session: URL; readonly start: number },
): Promise<void> {
  const { blob, scopes, signal } = request;
  const url = new URL(session);
  url.searchParams.append("digest", blob.digest);
  const response = await endpoint.request({
    method: "PUT",
    path: url,
    headers: {
      "content-type": "application/octet-stream",
      ...(start > 0 && start < blob.sizeBytes && { "content-range": `${start}-${blob.sizeBytes - 1}` }),
    },
    content: contentOf(request, start, blob.sizeBytes),
    scopes,
    accept: [201, 204],
    signal,
  });
  await discardBody(response);
}

async function readStatus(endpoint: RegistryEndpoint, { scopes, blob, signal }: UploadRequest, session: URL) {
  const response = await endpoint.request({
    method: "GET",
    path: session,
    scopes,
    accept: [204, 200],
    signal,
  });
  await discardBody(response);
  const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(response.headers["range"] ?? "") ?? [];
  // "0-0" is what some say of nothing and others of one byte: one byte more or less is not worth a guess.
  const start = last === undefined || last === "0" ? 0 : Number(last) + 1;
  if (start > blob.sizeBytes) throw registryFaults.BLOB_UNKNOWN("the upload has more than the blob");
  const location = response.headers.location === undefined ? session : locationOf(response);
  return { start, location, minBytes: minimumOf(response) };
}

function contentOf({ blob, onProgress }: UploadRequest, start: number, end: number) {
  return {
    sizeBytes: end - start,
    async *open() {
      let sentBytes = start;
      for await (const chunk of blob.open(start, end)) {
        yield chunk;
        sentBytes += chunk.length;
        onProgress?.(sentBytes);
      }
    },
  };
}

const maxMinimumBytes = 1 << 30;

/** The least that a registry takes as a piece. */
function minimumOf({ headers }: EndpointResponse): number {
  const bytes = Number(headers["oci-chunk-min-length"] ?? 0);
  return Number.isFinite(bytes) ? Math.min(bytes, maxMinimumBytes) : 0;
}

function locationOf({ headers, url, what }: EndpointResponse): URL {
  const location = URL.parse(headers.location ?? "", url.href);
  if (headers.location === undefined || location === null || !/^https?:$/.test(location.protocol)) {
    throw registryFaults.ANSWER_INVALID(what, "the registry did not say where to upload to");
  }
  // Some registries behind a proxy name themselves without its encryption.
  if (url.protocol === "https:" && location.protocol === "http:" && location.host === url.host) {
    location.protocol = "https:";
  }
  return location;
}
