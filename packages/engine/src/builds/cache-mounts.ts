import { createHash } from "node:crypto";
import { existsSync, renameSync } from "node:fs";
import { lstat, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Holds, KeyedMutex, readTar, type TarSource, tarSourceOf, writeTar } from "@hawser/base";
import type { ExecMount } from "@hawser/build";
import { exchangeFiles } from "@hawser/linux";
import { openArchive, withoutForeignCompression, writeArchive } from "@hawser/store";
import { type BuildState, identityOf } from "./build-state.ts";
import { buildFaults } from "./faults.ts";

/**
 * What a cache's folder is called, here and in archives: nothing of what a Dockerfile calls it is a path.
 *
 * @param start what it begins with, as text; absent: an empty folder of root's
 */
export function cacheFolderName(id: string, start?: string): string {
  return [id, ...(start === undefined ? [] : [start])].map(sha256).join("-");
}

/** Of the cache of a mount: as in BuildKit, those of one id that begin otherwise are others. @param inputs of the op */
export function folderNameOf(
  { id, rights, files }: Pick<Extract<ExecMount, { readonly kind: "cache" }>, "id" | "rights" | "files">,
  inputs: readonly (BuildState | undefined)[],
): string {
  if (files !== undefined) {
    const { input, source } = files;
    const state = inputs[input];
    const what = state?.kind === "context" ? state.context.digestOf(source) : state && identityOf(state);
    return cacheFolderName(id, `${what ?? "scratch"} ${source}`);
  }
  if (rights === undefined) return cacheFolderName(id);
  return cacheFolderName(id, `${rights.uid}:${rights.gid} ${rights.mode.toString(8)}`);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

const namePattern = /^[0-9a-f]{64}(-[0-9a-f]{64})?$/;

/**
 * The folders of `RUN --mount=type=cache`, each kept from one build to the next, and their archives:
 *
 *     <sha256 of the cache's id>/                           …  its files
 *     <sha256 of the cache's id>-<of what it begins with>/  …
 */
export class CacheMounts {
  readonly #folder: string;
  readonly #temporary: () => string;
  /** By names of folders: a process that has a cache for itself holds it. */
  readonly #locks = new KeyedMutex();
  /** Names of folders that processes have. */
  readonly #users = new Holds<string>();

  /** @param parts.temporary a path beside, which an engine that dies leaves to the next one to remove */
  constructor(parts: { readonly folder: string; readonly temporary: () => string }) {
    this.#folder = parts.folder;
    this.#temporary = parts.temporary;
  }

  /** @param name as `cacheFolderName` */
  folderOf(name: string): string {
    return join(this.#folder, name);
  }

  /** A process has a cache, which stays until disposal. */
  use(name: string): Disposable {
    return this.#users.hold(name);
  }

  /** Work that has caches for itself. */
  async runAlone<T>(names: readonly string[], work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    // All in one order: no two wait for each other.
    return await [...new Set(names)]
      .toSorted()
      .reduceRight<() => Promise<T>>((next, name) => () => this.#locks.run(name, next, signal), work)();
  }

  /** Remove those that nobody works with. */
  async clear(): Promise<void> {
    const temporary = this.#temporary();
    await mkdir(temporary, { recursive: true, mode: 0o700 });
    try {
      for (const name of await readdir(this.#folder).catch(() => [])) {
        // At once: whoever begins to use it after the look finds none.
        if (existsSync(join(this.#folder, name)) && !this.#users.has(name) && !this.#locks.isTaken(name)) {
          renameSync(join(this.#folder, name), join(temporary, name));
        }
      }
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }

  /**
   * Caches as an archive, each as it is while it is read; builds that want one for themselves wait meanwhile.
   *
   * @param ids of each all that begin otherwise; none: all
   * @throws {Fault} `not-found` before anything is read
   */
  async export(ids: readonly string[], signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const there = (await readdir(this.#folder).catch(() => [])).filter((name) => namePattern.test(name));
    const named = ids.flatMap((id) => {
      const own = there.filter((name) => name.split("-")[0] === cacheFolderName(id));
      if (own.length === 0) throw buildFaults.CACHE_MOUNT_MISSING(id);
      return own;
    });
    const names = ids.length === 0 ? there : named;
    return writeTar(this.#entriesOf([...new Set(names)].toSorted(), signal));
  }

  async *#entriesOf(
    names: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<TarSource, void, undefined> {
    const place = { kind: "folder", path: this.#folder } as const;
    for (const name of names) {
      const begun = Promise.withResolvers<void>();
      const done = Promise.withResolvers<void>();
      const held = this.#locks.run(
        name,
        () => {
          begun.resolve();
          return done.promise;
        },
        signal,
      );
      try {
        await Promise.race([begun.promise, held]);
        await using opened = await openArchive(place, `/${name}`, { signal });
        for await (const member of readTar(opened.archive)) yield tarSourceOf(member);
      } finally {
        done.resolve();
        await held;
      }
    }
  }

  /**
   * Take caches in: each is all of what the archive has of it, in the place of one that was here, or nothing has changed.
   *
   * @returns how many
   * @throws {Fault} `invalid-argument` for an archive of something else; as `writeArchive`
   */
  async import(archive: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<number> {
    const temporary = this.#temporary();
    const fresh = join(temporary, "fresh");
    try {
      await mkdir(fresh, { recursive: true, mode: 0o700 });
      const target = { kind: "folder", path: fresh } as const;
      const plain = withoutForeignCompression(archive);
      await writeArchive(target, plain, { path: "/", keepKinds: false, keepFolder: false, signal });
      const names = await readdir(fresh);
      for (const name of names) {
        const isCache = namePattern.test(name) && (await lstat(join(fresh, name))).isDirectory();
        if (!isCache) throw buildFaults.CACHE_MOUNT_ARCHIVE(name);
      }
      await mkdir(this.#folder, { recursive: true, mode: 0o755 });
      for (const name of names) {
        await this.#locks.run(
          name,
          async () => replaceFolder(join(this.#folder, name), join(fresh, name)),
          signal,
        );
      }
      return names.length;
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }
}

/** At every moment one of them is there, also where the engine is killed; what was there before is at `fresh` then. */
function replaceFolder(path: string, fresh: string): void {
  if (existsSync(path)) exchangeFiles(fresh, path);
  else renameSync(fresh, path);
}
