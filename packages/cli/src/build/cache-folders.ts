import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { unpackFiles } from "../copy/unpack-files.ts";
import { cliFaults } from "../faults.ts";
import { valueError } from "../options/value-error.ts";
import { type Session, warnLine } from "../session.ts";
import type { CacheEntry } from "./frontend-attributes.ts";
import { findTag, openLentBlob, readIndex, tagName } from "./oci-folders.ts";

/** `--cache-from` and `--cache-to` as the engine is told of them, and what the session serves of folders among them. */
export interface BuildCaches {
  readonly from: readonly CacheEntry[];
  readonly to: readonly CacheEntry[];
  /** Whether any is a folder, for which the engine has to ask. */
  readonly needsSession: boolean;
  /** A blob by the name that the engine asks for; `undefined`: it was not lent. */
  openBlob(name: string): AsyncIterable<Uint8Array> | undefined;
  /** Take a cache to its folder. @param output number of the output that the engine was told */
  receive(output: number, body: AsyncIterable<Uint8Array>): Promise<void>;
}

/**
 * Folders are OCI layouts, as buildx has them: `src` is read by the client, blob after blob as the engine wants them; `dest` gets what
 * the engine sends, beside what is there. A folder that has no cache is left out, with a warning.
 *
 * @param options.firstOutput a number that no output of the build has
 * @throws {Fault} `invalid-argument` for a folder that is not named
 */
export async function openCaches(
  session: Session,
  options: {
    readonly from: readonly CacheEntry[];
    readonly to: readonly CacheEntry[];
    readonly firstOutput: number;
  },
): Promise<BuildCaches> {
  const lent = new Map<string, string>();
  const from: CacheEntry[] = [];
  for (const entry of options.from) {
    if (entry.Type !== "local") {
      from.push(entry);
      continue;
    }
    const { src = "", digest, tag = "latest" } = entry.Attrs;
    if (src === "") throw valueError("local cache importer requires src");
    const folder = resolve(session.workingDir, src);
    const found = digest ?? (await findTag(folder, tag));
    if (found === undefined) {
      await warnLine(session, `local cache import at ${src} skipped: it has no cache of the tag ${tag}`);
      continue;
    }
    lent.set(`local:${src}`, folder);
    from.push({ Type: "local", Attrs: { src, digest: found } });
  }
  const places = new Map<number, string>();
  const to = options.to.map((entry): CacheEntry => {
    if (entry.Type !== "local") return entry;
    const { dest = "" } = entry.Attrs;
    if (dest === "") throw valueError("local cache exporter requires dest");
    const output = options.firstOutput + places.size;
    places.set(output, resolve(session.workingDir, dest));
    return { Type: "local", Attrs: { ...entry.Attrs, store: String(output) } };
  });
  return {
    from,
    to,
    needsSession: lent.size > 0 || places.size > 0,
    openBlob: (name) => openLentBlob(lent, name),
    async receive(output, body) {
      const folder = places.get(output);
      if (folder === undefined) throw cliFaults.SESSION_CALL("an output that was not asked for");
      await receiveCache(folder, body);
    },
  };
}

/** What else the folder's index speaks of stays in it. */
async function receiveCache(folder: string, body: AsyncIterable<Uint8Array>): Promise<void> {
  await mkdir(folder, { recursive: true });
  const before = await readIndex(folder);
  await unpackFiles(body, { folder, sourcePath: "/.", keepOwners: false });
  const fresh = await readIndex(folder);
  const tags = new Set(fresh.map(({ annotations }) => annotations?.[tagName]));
  const manifests = [...before.filter(({ annotations }) => !tags.has(annotations?.[tagName])), ...fresh];
  const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests };
  await writeFile(join(folder, "index.json"), JSON.stringify(index));
}
