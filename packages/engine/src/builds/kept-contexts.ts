import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { TarSource } from "@hawser/base";
import { BuildContext } from "./build-context.ts";

/** A folder of the user's that was listed: only what is wanted of it is sent. */
export interface ListedFolder {
  /** The same for two lists with the same paths and marks; absent where nobody knows. */
  readonly digest?: string;
  readonly listed: readonly {
    readonly path: string;
    /** While it is the same, so is the file. */
    readonly mark: string;
  }[];
  receive(wants: (file: { readonly path: string }) => boolean): AsyncIterable<TarSource>;
}

interface Kept {
  readonly context: BuildContext;
  readonly digest: string | undefined;
  /** Path → mark. */
  readonly marks: ReadonlyMap<string, string>;
}

/** Folders that were sent before are kept for the next build of the same place, at most so many. */
const maxKept = 8;

/**
 * Folders of users, kept from build to build: of one that was sent before, only the files that have changed are sent again.
 * A kept folder is one build's alone while it has it.
 */
export class KeptContexts {
  readonly #folder: string;
  readonly #randomName: () => string;
  readonly #kept = new Map<string, Kept>();

  constructor(options: { readonly folder: string; readonly randomName: () => string }) {
    this.#folder = options.folder;
    this.#randomName = options.randomName;
  }

  /**
   * Take a folder in.
   *
   * @param place what tells it from others; `undefined`: it is not kept. Disposing of the context gives it back.
   * @throws {Fault} as `BuildContext.receive`
   */
  async receive(
    folder: ListedFolder,
    { place, signal }: { readonly place: string | undefined; readonly signal: AbortSignal },
  ): Promise<{ readonly context: BuildContext } & AsyncDisposable> {
    const key = place === undefined ? undefined : createHash("sha256").update(place).digest("hex");
    const before = key === undefined ? undefined : this.#take(key);
    if (before !== undefined && before.digest !== undefined && before.digest === folder.digest) {
      return this.#lend(key, before);
    }
    const marks = new Map(folder.listed.map(({ path, mark }) => [path, mark]));
    const isAllThere = before !== undefined && [...before.marks.keys()].every((path) => marks.has(path));
    // What has gone would have to be removed file by file: the folder is sent anew then.
    if (before !== undefined && !isAllThere) await before.context[Symbol.asyncDispose]();
    const known = isAllThere ? before.marks : new Map<string, string>();
    const wants = ({ path }: { readonly path: string }) => known.get(path) !== marks.get(path);
    const files = folder.receive(wants);
    let context: BuildContext;
    if (isAllThere && !folder.listed.some(wants)) {
      context = before.context;
      try {
        for await (const _ of files); // the sender is told that it is done
      } catch (error) {
        await context[Symbol.asyncDispose]();
        throw error;
      }
    } else {
      context = await BuildContext.receive(files, {
        folder: isAllThere ? before.context.folder : join(this.#folder, this.#randomName()),
        kept: isAllThere ? before.context.entries : new Map(),
        signal,
      });
    }
    return this.#lend(key, { context, digest: folder.digest, marks });
  }

  /** Remove what no build has. */
  async clear(): Promise<void> {
    const kept = [...this.#kept.values()];
    this.#kept.clear();
    for (const { context } of kept) await context[Symbol.asyncDispose]();
  }

  /** Remove what an engine that is no more has left. */
  async reset(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  #lend(key: string | undefined, kept: Kept): { readonly context: BuildContext } & AsyncDisposable {
    const { context } = kept;
    return {
      context,
      [Symbol.asyncDispose]: async () => {
        if (key === undefined || this.#kept.has(key)) await context[Symbol.asyncDispose]();
        else await this.#keep(key, kept);
      },
    };
  }

  #take(key: string): Kept | undefined {
    const kept = this.#kept.get(key);
    this.#kept.delete(key);
    return kept;
  }

  async #keep(key: string, kept: Kept): Promise<void> {
    this.#kept.set(key, kept);
    for (const [oldest, { context }] of this.#kept) {
      if (this.#kept.size <= maxKept) return;
      this.#kept.delete(oldest);
      await context[Symbol.asyncDispose]();
    }
  }
}
