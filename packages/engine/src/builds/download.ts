import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { Fault, shownUrl } from "@hawser/base";
import type { WebClient, WebFile } from "@hawser/registry/client";
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
export async function download(
  web: WebClient,
  url: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<Buffer> {
  const { chunks } = await request(web, url, { headers: {}, maxBytes: maxContextBytes, signal });
  return Buffer.concat(await Array.fromAsync(chunks));
}

/**
 * Get a file of the net into a new file.
 *
 * @param options.known of the state that the caller has; that one is not sent again
 * @throws {Fault} `unavailable`
 */
export async function fetchFile(
  web: WebClient,
  url: string,
  options: { readonly into: string; readonly known?: Validators | undefined; readonly signal: AbortSignal },
): Promise<FetchedFile> {
  const { into, known, signal } = options;
  const { status, headers, chunks } = await request(web, url, {
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
  const { etag, "last-modified": lastModified } = headers;
  return {
    kind: "file",
    digest: `sha256:${hash.digest("hex")}`,
    sizeBytes,
    validators: { ...(etag !== undefined && { etag }), ...(lastModified !== undefined && { lastModified }) },
  };
}

const notModified = 304;

async function request(
  web: WebClient,
  url: string,
  options: {
    readonly headers: Readonly<Record<string, string>>;
    readonly maxBytes: number;
    readonly signal: AbortSignal;
  },
): Promise<Pick<WebFile, "status" | "headers" | "chunks">> {
  const { headers, signal, maxBytes } = options;
  const failed = (why: string) => buildFaults.DOWNLOAD_FAILED(shownUrl(url), why);
  const explained = (error: unknown) => {
    signal.throwIfAborted();
    return Fault.is(error) ? failed(error.message).because(error) : error;
  };
  const address = URL.parse(url);
  if (address === null) throw failed("it is no address");
  const file = await web.get(address, { headers, signal }).catch((error: unknown) => {
    throw explained(error);
  });
  const { status } = file;
  const isFresh =
    (status >= 200 && status < 300) || (status === notModified && Object.keys(headers).length > 0);
  if (!isFresh) {
    await file.discard();
    throw failed(`status ${status}`);
  }
  async function* bounded(): AsyncGenerator<Buffer, void, undefined> {
    let size = 0;
    try {
      for await (const chunk of file.chunks) {
        size += chunk.length;
        if (size > maxBytes) throw failed(`more than ${maxBytes} bytes`);
        yield chunk;
      }
    } catch (error) {
      throw explained(error);
    }
  }
  return { status, headers: file.headers, chunks: bounded() };
}
