import type { IncomingMessage, ServerResponse } from "node:http";
import type { Digest } from "@hawser/oci";
import {
  type Call,
  type HandlerParts,
  parseDigest,
  parseManifestReference,
  parseName,
  parseTag,
  parseUploadId,
  readBody,
  sendEmpty,
  streamBody,
} from "./call.ts";
import { serverFaults } from "./faults.ts";

/** distribution-spec, end-7. */
export async function putManifest({ service, onPush }: HandlerParts, call: Call): Promise<void> {
  const { request, response, repository, url, caller } = call;
  const reference = parseManifestReference(call.rest);
  const more = url.searchParams.getAll("tag").map(parseTag);
  const bytes = await readBody(request, {
    maxBytes: service.limits.manifestBytes,
    tooLarge: serverFaults.MANIFEST_TOO_LARGE,
  });
  const tags = "tag" in reference ? [reference.tag, ...more] : more;
  const { digest, subject } = await service.pushManifest(repository, bytes, {
    contentType: request.headers["content-type"] ?? "",
    tags,
    ...("digest" in reference && { digest: reference.digest }),
  });
  onPush({ repository, digest, tags, user: caller.user });
  if (more.length > 0) response.setHeader("OCI-Tag", more);
  sendEmpty(response, 201, {
    Location: `/v2/${repository}/manifests/${call.rest}`,
    "Docker-Content-Digest": digest,
    ...(subject && { "OCI-Subject": subject }),
  });
}

/** distribution-spec, end-4a to 4c and end-11. */
export async function beginUpload(parts: HandlerParts, call: Call): Promise<void> {
  const { service } = parts;
  const { request, response, repository, url, caller } = call;
  const mount = url.searchParams.get("mount");
  if (mount !== null && mount !== "") {
    const digest = parseDigest(mount);
    const from = url.searchParams.get("from") ?? "";
    const sources = (from === "" ? service.index.repositoriesWith(digest) : [parseName(from)]).filter(
      (source) => caller.allows({ repository: source, action: "pull" }),
    );
    if (await service.mountBlob(repository, digest, sources)) return sendBlobCreated(call, digest);
  }
  const whole = url.searchParams.get("digest");
  const wanted = whole === null ? undefined : parseDigest(whole);
  const algorithm = wanted?.split(":")[0] ?? url.searchParams.get("digest-algorithm") ?? "sha256";
  if (algorithm !== "sha256" && algorithm !== "sha512") {
    throw serverFaults.DIGEST_INVALID(`the algorithm ${JSON.stringify(algorithm.slice(0, 50))} is not known`);
  }
  const upload = await service.beginUpload(repository, algorithm);
  if (wanted === undefined) {
    return sendEmpty(response, 202, {
      Location: `/v2/${repository}/blobs/uploads/${upload.id}`,
      Range: "0-0",
      "Docker-Upload-UUID": upload.id,
    });
  }
  try {
    await service.appendUpload(repository, upload.id, {
      bytes: streamBody(request),
      length: contentLength(request),
    });
    await keptAwake(response, () => service.finishUpload(repository, upload.id, wanted));
  } catch (error) {
    await service.storage.uploads.cancel(upload.id);
    throw error;
  }
  sendBlobCreated(call, wanted);
}

/** Clients of Go take five answers of this kind before the answer. */
const wakeMs = 25_000;
const maxWakes = 4;

/** While a large blob goes where blobs are, nothing comes or goes here: neither side may take that for the end. */
async function keptAwake(response: ServerResponse, work: () => Promise<void>): Promise<void> {
  const { socket } = response;
  const idleMs = socket?.timeout;
  socket?.setTimeout(0);
  let wakes = 0;
  const timer = setInterval(() => {
    if (wakes++ < maxWakes && !response.destroyed) response.writeProcessing();
  }, wakeMs);
  try {
    await work();
  } finally {
    clearInterval(timer);
    if (idleMs !== undefined) socket?.setTimeout(idleMs);
  }
}

function sendBlobCreated({ response, repository }: Call, digest: Digest): void {
  sendEmpty(response, 201, {
    Location: `/v2/${repository}/blobs/${digest}`,
    "Docker-Content-Digest": digest,
  });
}

function contentLength(request: IncomingMessage): number | undefined {
  const text = request.headers["content-length"];
  return text === undefined ? undefined : Number(text);
}

/** `Content-Range: 0-1023`, distribution-spec's own form. */
function parseContentRange(
  request: IncomingMessage,
): { readonly start: number; readonly length: number } | undefined {
  const text = request.headers["content-range"];
  if (text === undefined) return undefined;
  const [, first, last] = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})$/.exec(text) ?? [];
  if (first === undefined || last === undefined || Number(last) + 1 < Number(first)) {
    throw serverFaults.BLOB_UPLOAD_INVALID(`the range ${JSON.stringify(text.slice(0, 50))} is none`);
  }
  return { start: Number(first), length: Number(last) - Number(first) + 1 };
}

async function appendBody({ service }: HandlerParts, call: Call, id: string) {
  const { request, response, repository } = call;
  const range = parseContentRange(request);
  const length = contentLength(request);
  if (range !== undefined && length !== undefined && range.length !== length) {
    throw serverFaults.SIZE_INVALID(`the range has ${range.length} bytes, the body ${length}`);
  }
  const before = await service.getUpload(repository, id);
  tellUpload(response, before);
  return await service.appendUpload(repository, id, {
    bytes: streamBody(request),
    start: range?.start,
    length: range?.length ?? length,
  });
}

/** Where an upload is and how far it has come: wanted also beside a refusal. */
function tellUpload(
  response: ServerResponse,
  {
    id,
    repository,
    sizeBytes,
  }: { readonly id: string; readonly repository: string; readonly sizeBytes: number },
): void {
  response.setHeader("Location", `/v2/${repository}/blobs/uploads/${id}`);
  response.setHeader("Range", `0-${Math.max(0, sizeBytes - 1)}`);
  response.setHeader("Docker-Upload-UUID", id);
}

/** distribution-spec, end-5. */
export async function patchUpload(parts: HandlerParts, call: Call): Promise<void> {
  tellUpload(call.response, await appendBody(parts, call, parseUploadId(call.rest)));
  sendEmpty(call.response, 202);
}

/** distribution-spec, end-6. */
export async function finishUpload(parts: HandlerParts, call: Call): Promise<void> {
  const { service } = parts;
  const { repository, response, url } = call;
  const id = parseUploadId(call.rest);
  const text = url.searchParams.get("digest");
  if (text === null || text === "") throw serverFaults.DIGEST_INVALID("no digest was given");
  const digest = parseDigest(text);
  await appendBody(parts, call, id);
  response.removeHeader("Range");
  await keptAwake(response, () => service.finishUpload(repository, id, digest));
  sendBlobCreated(call, digest);
}

/** distribution-spec, end-13. */
export async function getUpload(
  { service }: HandlerParts,
  { repository, response, rest }: Call,
): Promise<void> {
  tellUpload(response, await service.getUpload(repository, parseUploadId(rest)));
  sendEmpty(response, 204);
}

/** distribution-spec, end-14. */
export async function cancelUpload(
  { service }: HandlerParts,
  { repository, response, rest }: Call,
): Promise<void> {
  await service.cancelUpload(repository, parseUploadId(rest));
  sendEmpty(response, 204);
}
