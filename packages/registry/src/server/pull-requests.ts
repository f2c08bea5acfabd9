import { type Call, type HandlerParts, parseDigest, parseManifestReference, sendEmpty } from "./call.ts";
import { serverFaults } from "./faults.ts";
import { sendBlob } from "./send-blob.ts";

/** distribution-spec, end-2. */
export async function getBlob({ service, pullThrough, metrics }: HandlerParts, call: Call): Promise<void> {
  const { request, response, repository, caller } = call;
  const digest = parseDigest(call.rest);
  const isAsked = request.method === "HEAD" && pullThrough?.covers(repository) !== true;
  const blob = isAsked
    ? await service.confirmBlob(repository, digest)
    : await (pullThrough?.openBlob(repository, digest, caller) ?? service.openBlob(repository, digest));
  const size = blob.sizeBytes;
  response.setHeader("Docker-Content-Digest", digest);
  response.setHeader("Accept-Ranges", "bytes");
  response.setHeader("ETag", `"${digest}"`);
  response.setHeader("Cache-Control", "max-age=31536000");
  if (request.headers["if-none-match"] === `"${digest}"`) return sendEmpty(response, 304);
  response.setHeader("Content-Type", "application/octet-stream");
  const range = parseRange(request.headers.range, size);
  if (range === "unsatisfiable") {
    response.setHeader("Content-Range", `bytes */${size}`);
    throw serverFaults.RANGE_INVALID(request.headers.range ?? "");
  }
  response.statusCode = range === undefined ? 200 : 206;
  if (range !== undefined) response.setHeader("Content-Range", `bytes ${range.start}-${range.end}/${size}`);
  const sent = range ?? { start: 0, end: size - 1 };
  response.setHeader("Content-Length", sent.end - sent.start + 1);
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  if (await sendBlob(response, blob, sent)) response.end();
  metrics.addSent(sent.end - sent.start + 1);
}

/** One range of RFC 9110, 14.2; several, and what is none, are as if nothing was asked. */
function parseRange(
  header: string | undefined,
  size: number,
): { readonly start: number; readonly end: number } | "unsatisfiable" | undefined {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  if (first === "") {
    const count = Math.min(Number(last), size);
    return count === 0 ? "unsatisfiable" : { start: size - count, end: size - 1 };
  }
  const start = Number(first);
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== "" && Number(last) < start) return undefined;
  return start >= size ? "unsatisfiable" : { start, end };
}

/** distribution-spec, end-3. */
export async function getManifest({ service, pullThrough }: HandlerParts, call: Call): Promise<void> {
  const { request, response, repository } = call;
  const reference = parseManifestReference(call.rest);
  await pullThrough?.ensureManifest(repository, reference);
  const manifest = service.findManifest(repository, reference);
  response.setHeader("Docker-Content-Digest", manifest.digest);
  response.setHeader("ETag", `"${manifest.digest}"`);
  if (request.headers["if-none-match"] === `"${manifest.digest}"`) return sendEmpty(response, 304);
  response.setHeader("Content-Type", manifest.mediaType);
  response.setHeader("Content-Length", manifest.sizeBytes);
  response.statusCode = 200;
  response.end(request.method === "HEAD" ? undefined : await service.readManifest(manifest));
}
