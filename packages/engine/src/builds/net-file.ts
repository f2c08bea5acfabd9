import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { shownUrl, writeFileAtomic, writeTar } from "@hawser/base";
import type { HttpOp } from "@hawser/build";
import type { WebClient } from "@hawser/registry/client";
import type { ReachEngineStep } from "../steps.ts";
import { fetchFile, type Validators } from "./download.ts";
import { buildFaults } from "./faults.ts";

/** What was at an address when it was last asked. */
interface SeenFile extends Validators {
  readonly digest: string;
}

export interface NetFileParts<Result> {
  /** Folder of what is known of addresses. */
  readonly folder: string;
  /** A file that does not exist, for the content while it comes. */
  readonly temporary: string;
  readonly signal: AbortSignal;
  readonly web: WebClient;
  readonly reach: ReachEngineStep;
  /** A kept result. */
  readonly find: (key: string) => Result | undefined;
  /** Keep a layer that has the file alone. */
  readonly add: (key: string, layer: AsyncIterable<Uint8Array>) => Promise<Result>;
}

/**
 * A file of the net as a file system. The server is asked each time; what it says has not changed is not sent again, and the result
 * is kept by the content, wherever that came from. A file of a known digest is asked for only where it is not kept.
 *
 * @throws {Fault} `unavailable`; `data-loss` when it is not what it has to be
 */
export async function netFile<Result>(
  op: HttpOp,
  parts: NetFileParts<Result>,
): Promise<{ readonly result: Result; readonly digest: string }> {
  const { url, checksum } = op;
  if (checksum !== undefined && !/^sha256:[0-9a-f]{64}$/.test(checksum)) {
    throw buildFaults.CHECKSUM_INVALID(checksum);
  }
  const { signal, find, temporary: into } = parts;
  const memory = join(parts.folder, `${createHash("sha256").update(url).digest("hex")}.json`);
  const seen = await readSeen(memory);
  const digest = checksum ?? seen?.digest;
  const kept = digest === undefined ? undefined : find(keyOf(op, digest));
  if (checksum !== undefined && kept !== undefined) return { result: kept, digest: checksum };
  try {
    const fetched = await fetchFile(parts.web, url, {
      into,
      known: kept === undefined ? undefined : seen,
      signal,
    });
    if (fetched.kind === "unchanged") {
      if (kept === undefined || digest === undefined) throw new Error("only what is kept can be unchanged");
      return { result: kept, digest };
    }
    if (checksum !== undefined && fetched.digest !== checksum) {
      throw buildFaults.DOWNLOAD_MISMATCH(shownUrl(url), checksum, fetched.digest);
    }
    parts.reach("build.fetched");
    const key = keyOf(op, fetched.digest);
    const result = find(key) ?? (await parts.add(key, layerOf(op, { path: into, ...fetched })));
    await mkdir(parts.folder, { recursive: true, mode: 0o700 });
    const now: SeenFile = { digest: fetched.digest, ...fetched.validators };
    await writeFileAtomic(memory, JSON.stringify(now), { durable: false, temporaryFolder: dirname(into) });
    return { result, digest: fetched.digest };
  } finally {
    await rm(into, { force: true });
  }
}

/** Forget what is known of addresses. The folder stays: a build may be about to write to it. */
export async function forgetNetFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) await rm(join(folder, name), { force: true });
}

function keyOf({ mode, uid, gid, ...op }: HttpOp, digest: string): string {
  const told = JSON.stringify(["http", digest, nameOf(op), mode, uid, gid]);
  return createHash("sha256").update(told).digest("hex");
}

function nameOf({ name, url }: Pick<HttpOp, "name" | "url">): string {
  return basename(name ?? new URL(url).pathname) || "download";
}

async function* layerOf(
  { mode, uid, gid, ...op }: HttpOp,
  { path, sizeBytes }: { readonly path: string; readonly sizeBytes: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  const content = { sizeBytes, open: () => createReadStream(path) };
  yield* writeTar([{ path: nameOf(op), type: "file", mode, uid, gid, mtimeNs: 0n, content }]);
}

async function readSeen(path: string): Promise<SeenFile | undefined> {
  try {
    const value = JSON.parse(await readFile(path, "utf8")) as Partial<SeenFile> | null;
    const { digest, etag, lastModified } = value ?? {};
    if (typeof digest !== "string") return undefined;
    return {
      digest,
      ...(typeof etag === "string" && { etag }),
      ...(typeof lastModified === "string" && { lastModified }),
    };
  } catch {
    return undefined; // nothing is known
  }
}
