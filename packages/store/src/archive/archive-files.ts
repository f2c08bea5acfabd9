import { type Logger, readTar, rootedTarPath, type TarEntryType, tarPathBytes } from "@hawser/base";
import type { ContentStore, StagedBlob } from "../content/content-store.ts";
import { readStaged } from "../content/read-staged.ts";
import { storeFaults } from "../faults.ts";
import { decompress } from "../layers/decompress.ts";
import type { StoreLimits } from "../limits.ts";
import { withoutForeignCompression } from "./foreign-compression.ts";

/** Files that an image archive may have: even an image of 500 layers has a few thousand. */
const maxArchiveFiles = 100_000;
const maxLinkDepth = 10;

/** The files of an image archive, on disk, hashed, by their names in it. */
export class ArchiveFiles implements AsyncDisposable {
  readonly #files = new Map<string, StagedBlob>();
  readonly #links = new Map<string, string>();
  readonly #folders = new Set<string>();
  readonly #made: StagedBlob[] = [];
  readonly #content: ContentStore;

  private constructor(content: ContentStore) {
    this.#content = content;
  }

  /**
   * Read a whole archive, plain or compressed. Of several files with one name the last counts, as in unpacking.
   *
   * @throws {Fault} `data-loss`, `invalid-argument` for the archive's sake, `resource-exhausted` for the disk's. Nothing
   * stays behind.
   */
  static async read(
    stream: AsyncIterable<Uint8Array>,
    options: {
      readonly content: ContentStore;
      readonly limits: StoreLimits;
      readonly signal?: AbortSignal;
      readonly log: Logger;
    },
  ): Promise<ArchiveFiles> {
    const { content, limits, signal, log } = options;
    const files = new ArchiveFiles(content);
    try {
      const maxEntries = Math.min(limits.maxEntries, maxArchiveFiles);
      const plain = decompress(withoutForeignCompression(stream), limits);
      for await (const { entry, data } of readTar(plain, { maxEntries })) {
        signal?.throwIfAborted();
        const path = rootedTarPath(entry.path);
        files.#addFolder(path, entry.type);
        switch (entry.type) {
          case "file":
            if (entry.sparse) throw storeFaults.ARCHIVE_INVALID(`"${path}" is a sparse file`);
            await files.#replace(path, await content.stage(data, signal && { signal }));
            break;
          case "symlink":
          case "hardlink":
            await files.#replace(path, undefined);
            files.#links.set(path, linkTarget(path, entry));
            break;
          case "directory":
            break;
          case "character-device":
          case "block-device":
          case "fifo":
            log.debug("ignoring a device in an image archive", { path });
        }
      }
      return files;
    } catch (error) {
      await files[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The file of that name, also through links inside of the archive. @throws {Fault} `invalid-argument` when it leads out. */
  find(name: string): StagedBlob | undefined {
    let path = rootedTarPath(Buffer.from(name));
    for (let depth = 0; depth < maxLinkDepth; depth++) {
      const target = this.#links.get(path);
      if (target === undefined) return this.#files.get(path);
      path = target;
    }
    return undefined;
  }

  /** @throws {Fault} `invalid-argument` when there is none */
  get(name: string): StagedBlob {
    const file = this.find(name);
    if (file === undefined) throw storeFaults.ARCHIVE_INVALID(`it has no file "${name.slice(0, 300)}"`);
    return file;
  }

  /** The bytes of a small file. @throws {Fault} `invalid-argument` when there is none or it is larger than `maxBytes` */
  async read(name: string, maxBytes: number): Promise<Buffer> {
    return await readStaged(this.get(name), { what: `"${name}" of the archive`, maxBytes });
  }

  /** The names of the folders at its top, in order. */
  folders(): readonly string[] {
    return [...this.#folders].map((name) => tarPathBytes(name).toString()).toSorted();
  }

  /** Content that is made from the archive's: a blob as if it had come with it. */
  async stage(content: Uint8Array): Promise<StagedBlob> {
    const blob = await this.#content.stage([content]);
    this.#made.push(blob);
    return blob;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const blobs = [...this.#files.values(), ...this.#made];
    await Promise.all(blobs.map((blob) => blob[Symbol.asyncDispose]()));
    this.#files.clear();
  }

  #addFolder(path: string, type: TarEntryType): void {
    const [top = "", ...below] = path.split("/");
    if (top !== "" && (below.length > 0 || type === "directory")) this.#folders.add(top);
  }

  async #replace(path: string, file: StagedBlob | undefined): Promise<void> {
    const before = this.#files.get(path);
    this.#links.delete(path);
    if (file === undefined) this.#files.delete(path);
    else this.#files.set(path, file);
    await before?.[Symbol.asyncDispose]();
  }
}

/** A hard link counts from the archive's top, a symbolic one from its own folder. */
function linkTarget(path: string, entry: { readonly type: string; readonly linkPath: Buffer }): string {
  if (entry.type === "hardlink") return rootedTarPath(entry.linkPath);
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  return rootedTarPath(Buffer.concat([Buffer.from(folder, "latin1"), entry.linkPath]));
}
