import { createHash } from "node:crypto";
import { basename } from "node:path";
import { type TarSource, writeTar } from "@hawser/base";
import type { HttpOp } from "@hawser/build";
import { buildFaults } from "./faults.ts";

const maxBytes = 512 << 20;

/**
 * A file of the net for `ADD`.
 *
 * @throws {Fault} `unavailable`; `data-loss` when it is not what the checksum says
 */
export async function download(
  { url, checksum }: { readonly url: string; readonly checksum?: string },
  { signal }: { readonly signal: AbortSignal },
): Promise<Buffer> {
  if (checksum !== undefined && !/^sha256:[0-9a-f]{64}$/.test(checksum)) {
    throw buildFaults.CHECKSUM_INVALID(checksum);
  }
  const shown = url.replace(/\/\/[^/@]*@/, "//");
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    const response = await fetch(url, { signal });
    if (!response.ok) throw buildFaults.DOWNLOAD_FAILED(shown, `status ${response.status}`);
    for await (const chunk of response.body ?? []) {
      size += chunk.length;
      if (size > maxBytes) throw buildFaults.DOWNLOAD_FAILED(shown, `more than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TypeError) {
      const { cause } = error;
      throw buildFaults.DOWNLOAD_FAILED(shown, cause instanceof Error ? cause.message : error.message);
    }
    throw error;
  }
  const content = Buffer.concat(chunks);
  const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
  if (checksum !== undefined && digest !== checksum) {
    throw buildFaults.DOWNLOAD_MISMATCH(shown, checksum, digest);
  }
  return content;
}

/** A file of the net as the archive of a layer that has nothing else. @throws {Fault} as `download` */
export async function* downloadedFile(
  { url, checksum, name, mode, uid, gid }: HttpOp,
  options: { readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array, void, undefined> {
  const content = await download({ url, ...(checksum !== undefined && { checksum }) }, options);
  const path = basename(name ?? new URL(url).pathname) || "download";
  yield* writeTar([{ path, type: "file", mode, uid, gid, mtimeNs: 0n, content } satisfies TarSource]);
}
