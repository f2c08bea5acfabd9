import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { buildFaults } from "./faults.ts";

/** A context is held in memory until it is known what it is. */
const maxContextBytes = 512 << 20;
const maxFileBytes = 64 * 2 ** 30;

/** What a server says of the state that a file is in, for it to be asked whether that has changed. */
export interface Validators {
  readonly etag?: string;
  readonly lastModified?: string;
}

export type FetchedFile =
  | { readonly kind: "unchanged" }
  | {
      readonly kind: "file";
      readonly digest: string;
      readonly sizeBytes: number;
      readonly validators: Validators;
    };

/** A file of the net, whole. @throws {Fault} `unavailable` */
export async function download(url: string, { signal }: { readonly signal: AbortSignal }): Promise<Buffer> {
  const { chunks } = await request(url, { headers: {}, maxBytes: maxContextBytes, signal });
  return Buffer.concat(await Array.fromAsync(chunks));
}

/**
 * Get a file of the net into a new file.
 *
 * @param options.known of the state that the caller has; that one is not sent again
 * @throws {Fault} `unavailable`
 */
export async function fetchFile(
  url: string,
  options: { readonly into: string; readonly known?: Validators | undefined; readonly signal: AbortSignal },
): Promise<FetchedFile> {
  const { into, known, signal } = options;
  const { status, headers, chunks } = await request(url, {
    headers: {
      ...(known?.etag !== undefined && { "if-none-match": known.etag }),
      ...(known?.lastModified !== undefined && { "if-modified-since": known.lastModified }),
    },
    maxBytes: maxFileBytes,
    signal,
  });
  if (status === notModified) return { kind: "unchanged" };
  const hash = createHash("sha256");
  let sizeBytes = 0;
  async function* hashed(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of chunks) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      yield chunk;
    }
  }
  await pipeline(hashed, createWriteStream(into, { flags: "wx", mode: 0o600 }), { signal });
  const [etag, lastModified] = [headers.get("etag"), headers.get("last-modified")];
  return {
    kind: "file",
    digest: `sha256:${hash.digest("hex")}`,
    sizeBytes,
    validators: { ...(etag !== null && { etag }), ...(lastModified !== null && { lastModified }) },
  };
}

/** An address as it may be shown: without a password. */
export function shownUrl(url: string): string {
  return url.replace(/\/\/[^/@]*@/, "//");
}

/** A login of an address is for its own server, and goes to no other one by way of that. */
function withoutLogin(url: string) {
  const parsed = URL.parse(url);
  if (parsed === null || (parsed.username === "" && parsed.password === "")) return { address: url };
  const login = `${decoded(parsed.username)}:${decoded(parsed.password)}`;
  parsed.username = "";
  parsed.password = "";
  const authorization = `Basic ${Buffer.from(login).toString("base64")}`;
  return { address: parsed.href, authorization: { authorization } };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // it is no UTF-8, or no escape
  }
}

const notModified = 304;

async function request(
  url: string,
  options: {
    readonly headers: Readonly<Record<string, string>>;
    readonly maxBytes: number;
    readonly signal: AbortSignal;
  },
): Promise<{
  readonly status: number;
  readonly headers: Headers;
  readonly chunks: AsyncIterable<Uint8Array>;
}> {
  const { signal, maxBytes } = options;
  const failed = (why: string) => buildFaults.DOWNLOAD_FAILED(shownUrl(url), why);
  const explained = (error: unknown) => {
    signal.throwIfAborted();
    if (!(error instanceof TypeError)) return error;
    return failed(error.cause instanceof Error ? error.cause.message : error.message);
  };
  const { address, authorization } = withoutLogin(url);
  // What is compressed on the way only would be another file.
  const headers = { ...options.headers, ...authorization, "accept-encoding": "identity" };
  const response = await fetch(address, { headers, signal }).catch((error: unknown) => {
    throw explained(error);
  });
  const isFresh = response.ok || (response.status === notModified && Object.keys(options.headers).length > 0);
  if (!isFresh) {
    await response.body?.cancel();
    throw failed(`status ${response.status}`);
  }
  async function* bounded(): AsyncGenerator<Uint8Array, void, undefined> {
    let size = 0;
    try {
      for await (const chunk of response.body ?? []) {
        size += chunk.length;
        if (size > maxBytes) throw failed(`more than ${maxBytes} bytes`);
        yield chunk;
      }
    } catch (error) {
      throw explained(error);
    }
  }
  return { status: response.status, headers: response.headers, chunks: bounded() };
}
