import { randomUUID } from "node:crypto";
import { mkdirSync, renameSync, rmdirSync } from "node:fs";
import { mkdir, readdir, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf, type Logger } from "@hawser/base";
import { removeTree } from "@hawser/store";
import { limitFolder, unlimitFolder } from "./volume-quota.ts";
import type { VolumeRecord } from "./volume-record.ts";

/**
 * The folders of volumes that the engine has itself: `<root>/<name>/_data`. What is being filled, or is going, has a name that
 * no volume can have, and is swept by the next engine.
 */
export class VolumeFolders {
  readonly #root: string;
  readonly #log: Logger;

  constructor(root: string, log: Logger) {
    this.#root = root;
    this.#log = log;
  }

  /** Make the root. Returns the names of what is there, volumes or not. */
  async open(): Promise<ReadonlySet<string>> {
    await mkdir(this.#root, { recursive: true, mode: 0o711 });
    return new Set(await readdir(this.#root));
  }

  /** Where a volume's data is. */
  dataOf(name: string): string {
    return join(this.#root, name, "_data");
  }

  /** Where what an image has for a volume is put together. */
  fillingOf(name: string): string {
    return join(this.#root, name, "_filling");
  }

  /** A folder without data. @throws {Fault} `invalid-argument` when its size cannot be bounded; then there is none */
  make(record: VolumeRecord): void {
    const folder = this.dataOf(record.name);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    try {
      limitFolder(folder, record);
    } catch (error) {
      rmdirSync(folder);
      rmdirSync(dirname(folder));
      throw error;
    }
  }

  /**
   * A folder with what `fill` puts into it, or none.
   *
   * @param check throws when it is not wanted any more; asked right before it gets its name
   * @throws {Fault} as `make`, `fill` and `check`
   */
  async makeFilled(
    record: VolumeRecord,
    fill: (folder: string) => Promise<void>,
    check: () => void,
  ): Promise<void> {
    const filling = join(this.#root, `.${randomUUID()}`);
    const folder = join(filling, "_data");
    try {
      await mkdir(folder, { recursive: true, mode: 0o755 });
      limitFolder(folder, record);
      await fill(folder);
      check();
      renameSync(filling, join(this.#root, record.name));
    } catch (error) {
      this.#removeInBackground(filling);
      throw error;
    }
  }

  /** What a fill that a crash ended has left. */
  async sweepFilling(name: string): Promise<void> {
    await rm(this.fillingOf(name), { recursive: true, force: true });
  }

  /** When a folder that holds data was made; `undefined`, and it is gone, when nothing is in it. */
  async dateOrRemove(name: string): Promise<number | undefined> {
    const folder = join(this.#root, name);
    try {
      await rmdir(this.dataOf(name));
      await rmdir(folder);
      return undefined;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      if (errnoOf(error) !== "ENOTEMPTY") throw error;
      return (await stat(folder)).mtimeMs;
    }
  }

  /** Take a volume's folder out of its name. What it returns has the files removed in the background. */
  takeAway(record: VolumeRecord): () => void {
    try {
      unlimitFolder(this.dataOf(record.name), record);
    } catch (error) {
      this.#log.warn("cannot lift the bound of a volume", { volume: record.name, error });
    }
    const away = join(this.#root, `.${randomUUID()}`);
    renameSync(join(this.#root, record.name), away);
    return () => this.#removeInBackground(away);
  }

  /** Something that is no volume's. */
  removeStray(name: string): void {
    this.#removeInBackground(join(this.#root, name));
  }

  #removeInBackground(path: string): void {
    removeTree(path).catch((error: unknown) =>
      this.#log.warn("cannot remove the folder of a volume", { path, error }),
    );
  }
}
