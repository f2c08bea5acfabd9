import type { IncomingMessage, ServerResponse } from "node:http";
import type { Fault, Logger } from "@hawser/base";
import { type Digest, isDigest } from "@hawser/oci";
import type { Caller } from "./access.ts";
import type { Authenticator } from "./authenticator.ts";
import type { BrowsePage } from "./browse-page.ts";
import { serverFaults } from "./faults.ts";
import type { Metrics } from "./metrics.ts";
import type { PullThrough } from "./pull-through.ts";
import type { RegistryService } from "./registry-service.ts";

export interface HandlerParts {
  readonly service: RegistryService;
  /** Where some repositories are copies of other registries'. */
  readonly pullThrough: PullThrough | undefined;
  readonly authenticator: Authenticator;
  readonly metrics: Metrics;
  readonly page: BrowsePage | undefined;
  readonly log: Logger;
  /** Manifests may be removed, and blobs. */
  readonly deletes: boolean;
  /** Every request is worth a line of the log. */
  readonly accessLog: boolean;
  readonly onPush: (event: PushEvent) => void;
  /** How long the rest of a body that was refused is read, so that the client sees why. */
  readonly drainMs: number;
}

/** A manifest has come. */
export interface PushEvent {
  readonly repository: string;
  readonly digest: Digest;
  readonly tags: readonly string[];
  readonly user: string | undefined;
}

/** A request that is one of the registry's. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly repository: string;
  /** The last part of the path, decoded. */
  readonly rest: string;
  readonly caller: Caller;
}

const namePattern = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;

/** A repository. @throws {Fault} `invalid-argument` */
export function parseName(name: string): string {
  if (name.length > 255 || !namePattern.test(name)) throw serverFaults.NAME_INVALID(name.slice(0, 300));
  return name;
}

const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** @throws {Fault} `invalid-argument` */
export function parseTag(tag: string): string {
  if (!tagPattern.test(tag)) throw serverFaults.TAG_INVALID(tag.slice(0, 200));
  return tag;
}

/** @throws {Fault} `invalid-argument` */
export function parseDigest(text: string): Digest {
  if (!isDigest(text))
    throw serverFaults.DIGEST_INVALID(`${JSON.stringify(text.slice(0, 200))} is no digest`);
  return text;
}

/** A tag or a digest. @throws {Fault} `invalid-argument` */
export function parseManifestReference(text: string): { readonly tag: string } | { readonly digest: Digest } {
  return text.includes(":") ? { digest: parseDigest(text) } : { tag: parseTag(text) };
}

const uploadIdPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The name of an upload, of which it has one: what is none is no upload's. @throws {Fault} `not-found` */
export function parseUploadId(text: string): string {
  if (!uploadIdPattern.test(text)) throw serverFaults.BLOB_UPLOAD_UNKNOWN(text.slice(0, 100));
  return text;
}

/** A body as it comes. Who stops reading it leaves the connection as it is: the client is still to read its answer. */
export async function* streamBody(request: IncomingMessage): AsyncGenerator<Buffer, void, undefined> {
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  for await (const chunk of chunks) yield chunk;
}

/** All of a body that is small. @throws {Fault} `tooLarge` */
export async function readBody(
  request: IncomingMessage,
  { maxBytes, tooLarge }: { readonly maxBytes: number; readonly tooLarge: (maxBytes: number) => Fault },
): Promise<Buffer> {
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of streamBody(request)) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  contentType = "application/json",
): void {
  const body = Buffer.from(JSON.stringify(value));
  response.statusCode = status;
  response.setHeader("Content-Type", contentType);
  response.setHeader("Content-Length", body.length);
  response.end(body);
}

export function sendEmpty(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (status !== 204) response.setHeader("Content-Length", 0);
  response.end();
}
