import { createHash, type Hash } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join, posix } from "node:path";
import { readTar, rootedTarPath, type TarEntry, type TarSource, writeTar } from "@hawser/base";
import {
  diskFault,
  type FilesRoot,
  openArchive,
  readFiles,
  withoutForeignCompression,
  writeArchive,
} from "@hawser/store";
import { buildFaults } from "./faults.ts";
import { compilePattern, hasWildcard } from "./path-pattern.ts";

/** One file of a context: what of it makes a difference, times excepted. */
export interface ContextEntry {
  readonly isFolder: boolean;
  /** Of a symbolic link: where it leads. */
  readonly link?: string;
  /** Of kind, mode, link and content. */
  readonly digest: string;
}

/** The user's files for one build, in a folder of their own, which disposal removes. */
export class BuildContext implements AsyncDisposable {
  readonly root: FilesRoot;
  /** Of a repository's files: when they were committed. */
  readonly committedAtMs: number | undefined;
  readonly #folder: string;
  readonly #entries: Map<string, ContextEntry>;
  /** What `digestOf` found: a context that nothing of has changed serves many builds. */
  readonly #digests = new Map<string, string>();

  private constructor(folder: string, entries: ReadonlyMap<string, ContextEntry>, committedAtMs?: number) {
    this.committedAtMs = committedAtMs;
    this.#folder = folder;
    this.#entries = new Map([...entries].toSorted(([a], [b]) => (a < b ? -1 : 1)));
    this.root = { kind: "folder", path: join(folder, "files") };
  }

  /**
   * Unpack an archive, plain or compressed, into `folder`, which is made.
   *
   * @throws {Fault} as `writeArchive`, `resource-exhausted`; nothing stays behind
   */
  static async open(
    archive: AsyncIterable<Uint8Array>,
    options: { readonly folder: string; readonly signal: AbortSignal; readonly committedAtMs?: number },
  ): Promise<BuildContext> {
    const { folder, signal, committedAtMs } = options;
    const root = { kind: "folder", path: join(folder, "files") } as const;
    try {
      await mkdir(root.path, { recursive: true, mode: 0o700 });
      const plain = withoutForeignCompression(archive);
      await writeArchive(root, plain, { path: "/", keepKinds: false, keepFolder: true, signal });
      return new BuildContext(folder, await readEntries(root, signal), committedAtMs);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw diskFault(error, folder);
    }
  }

  /**
   * Take files in one by one, into `folder`, which is made where it is missing; digests are made on the way.
   *
   * @param options.kept what the folder has already, and goes on having
   * @throws {Fault} as `writeArchive`, `resource-exhausted`; nothing stays behind
   */
  static async receive(
    files: AsyncIterable<TarSource>,
    options: {
      readonly folder: string;
      readonly kept: ReadonlyMap<string, ContextEntry>;
      readonly signal: AbortSignal;
    },
  ): Promise<BuildContext> {
    const { folder, kept, signal } = options;
    const root = { kind: "folder", path: join(folder, "files") } as const;
    const entries = new Map(kept);
    try {
      await mkdir(root.path, { recursive: true, mode: 0o700 });
      const archive = writeTar(noting(files, entries));
      await writeArchive(root, archive, { path: "/", keepKinds: false, keepFolder: true, signal });
      return new BuildContext(folder, entries);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw diskFault(error, folder);
    }
  }

  /** What a later context in the same folder may keep. */
  get entries(): ReadonlyMap<string, ContextEntry> {
    return this.#entries;
  }

  /** Where it lies. */
  get folder(): string {
    return this.#folder;
  }

  /** A file's text; `undefined`: there is none. */
  async readText(
    path: string,
    { maxBytes, signal }: { readonly maxBytes: number; readonly signal: AbortSignal },
  ): Promise<string | undefined> {
    if (this.#entries.get(cleanContextPath(path))?.isFolder !== false) return undefined;
    await using file = await openArchive(this.root, `/${cleanContextPath(path)}`, { signal });
    for await (const { entry, data } of readTar(file.archive)) {
      if (entry.type !== "file" || entry.sizeBytes > maxBytes) return undefined;
      return Buffer.concat(await Array.fromAsync(data)).toString();
    }
    return undefined;
  }

  /** Take files away that were sent to be read only. What is not there, or not in a folder of its own, stays. */
  async forget(paths: readonly string[]): Promise<void> {
    for (const path of paths.map(cleanContextPath)) {
      const parents = path.split("/").map((_, at, parts) => parts.slice(0, at).join("/"));
      const isPlain = parents.slice(1).every((parent) => this.#entries.get(parent)?.isFolder === true);
      if (!isPlain || this.#entries.get(path)?.isFolder !== false) continue;
      await rm(join(this.#folder, "files", path));
      this.#entries.delete(path);
      this.#digests.clear();
    }
  }

  /**
   * The paths that a source of `COPY` means, in order, without leading slash.
   *
   * @throws {Fault} `invalid-argument` when there is nothing
   */
  select(source: string, isDeep = false): readonly string[] {
    const found = this.find(source, isDeep);
    if (found.length === 0 && !hasWildcard(source))
      throw buildFaults.CONTEXT_FILE_MISSING(cleanContextPath(source));
    return found;
  }

  /**
   * As `select`; none where there is nothing. Links on the way are followed, before the first wildcard.
   *
   * @param isDeep `**` stands for folders, however many, and no link is followed
   */
  find(source: string, isDeep = false): readonly string[] {
    const path = cleanContextPath(source);
    const parts = path.split("/");
    const wild = hasWildcard(path) ? parts.findIndex((part) => /[*?[\\]/.test(part)) : -1;
    const folder = parts.slice(0, wild).join("/");
    const real = isDeep ? folder : this.follow(folder);
    if (real === undefined) return [];
    const below = real === "" ? "" : `${real}/`;
    const rest = parts.slice(wild).join("/");
    if (wild < 0) return rest === "" || this.#entries.has(below + rest) ? [below + rest] : [];
    const pattern = compilePattern(rest, { isDeep });
    const names = [...this.#entries.keys()].filter((name) => name.startsWith(below));
    return names.filter((name) => pattern.test(name.slice(below.length)));
  }

  /** What a path leads to, links in it followed inside of the context. @throws {Fault} `invalid-argument` when that is nothing */
  resolve(path: string): string {
    const real = this.follow(path);
    if (real === undefined) throw buildFaults.CONTEXT_FILE_MISSING(cleanContextPath(path));
    return real;
  }

  /** As `resolve`; `undefined`: to nothing. */
  follow(path: string): string | undefined {
    let way = "";
    const rest = path.split("/").filter((part) => part !== "");
    for (let links = 0, part = rest.shift(); part !== undefined; part = rest.shift()) {
      const next = cleanContextPath(`${way}/${part}`);
      const entry = this.#entries.get(next);
      if (entry === undefined && next !== "") return undefined;
      if (entry?.link === undefined) way = next;
      else {
        if (++links > maxLinks) return undefined;
        if (entry.link.startsWith("/")) way = "";
        rest.unshift(...entry.link.split("/").filter((one) => one !== ""));
      }
    }
    return way;
  }

  isFolder(path: string): boolean {
    return path === "" || this.#entries.get(path)?.isFolder === true;
  }

  /** What a path has, with all that is below it: the same digest, the same files, whatever their times. */
  digestOf(path: string): string {
    const known = this.#digests.get(path);
    if (known !== undefined) return known;
    const hash = createHash("sha256");
    const below = path === "" ? "" : `${path}/`;
    for (const [name, { digest }] of this.#entries) {
      if (name === path || name.startsWith(below)) hash.update(`${name.slice(path.length)}\0${digest}\n`);
    }
    const whole = hash.digest("hex");
    this.#digests.set(path, whole);
    return whole;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** As Linux has it. */
const maxLinks = 40;

/** Relative to the context, which no path leads out of. */
function cleanContextPath(path: string): string {
  return posix.normalize(`/${path}`).replace(/^\/|\/$/g, "");
}

async function readEntries(root: FilesRoot, signal: AbortSignal): Promise<ReadonlyMap<string, ContextEntry>> {
  const entries = new Map<string, ContextEntry>();
  for await (const { entry, data } of readTar(readFiles(root, { kind: "export" }, { signal }))) {
    const hash = createHash("sha256");
    hash.update(describe(entry));
    for await (const bytes of data) hash.update(bytes);
    const path = Buffer.from(rootedTarPath(entry.path), "latin1").toString();
    if (path === "") continue;
    entries.set(path, { ...kindOf(entry), digest: hash.digest("hex") });
  }
  return entries;
}

function kindOf({ type, linkPath = "" }: Pick<TarSource, "type" | "linkPath">): Omit<ContextEntry, "digest"> {
  return {
    isFolder: type === "directory",
    ...(type === "symlink" && { link: Buffer.from(linkPath).toString() }),
  };
}

/** The same files; what they are is put into `entries` while they go by. */
async function* noting(
  files: AsyncIterable<TarSource>,
  entries: Map<string, ContextEntry>,
): AsyncGenerator<TarSource, void, undefined> {
  for await (const file of files) {
    const { type, mode = 0, linkPath = "", xattrs = new Map(), content } = file;
    const hash = createHash("sha256");
    hash.update(describe({ type, mode, linkPath: Buffer.from(linkPath), xattrs }));
    const note = () => {
      const path = Buffer.from(rootedTarPath(Buffer.from(file.path)), "latin1").toString();
      entries.set(path, { ...kindOf(file), digest: hash.digest("hex") });
    };
    if (content === undefined) {
      yield file;
      note();
      continue;
    }
    const whole = content instanceof Uint8Array ? inMemory(content) : content;
    yield { ...file, content: { sizeBytes: whole.sizeBytes, open: () => hashing(whole.open(), hash) } };
    note();
  }
}

function inMemory(bytes: Uint8Array) {
  return {
    sizeBytes: bytes.length,
    async *open() {
      yield bytes;
    },
  };
}

async function* hashing(
  bytes: AsyncIterable<Uint8Array>,
  hash: Hash,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of bytes) {
    hash.update(chunk);
    yield chunk;
  }
}

function describe({
  type,
  mode,
  linkPath,
  xattrs,
}: Pick<TarEntry, "type" | "mode" | "linkPath"> & {
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}): string {
  const attributes = [...xattrs].map(([name, value]) => [name, Buffer.from(value).toString("hex")]);
  return JSON.stringify([type, mode, linkPath.toString("hex"), attributes]);
}
