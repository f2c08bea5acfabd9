import type { Stats } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { errnoOf, tarPathBytes } from "@hawser/base";
import { getXattr } from "@hawser/linux";
import type { UpperEntry } from "./files-job.ts";
import type { FilesOptions } from "./files-run.ts";
import { readFiles } from "./run-files-job.ts";

/** How a file of a writable layer differs from the layers below. */
export interface FileChange {
  /** Absolute. */
  readonly path: string;
  readonly kind: "modified" | "added" | "deleted";
}

/**
 * What a writable layer changes, as `docker diff` tells it: a folder counts as modified when its own attributes are others or
 * something in it has changed.
 *
 * @param options.leaveOut paths, without leading slash, of what the engine itself puts there: not told while they are empty
 */
export async function listChanges(
  layer: { readonly upper: string; readonly lower: readonly string[] },
  options: FilesOptions & { readonly leaveOut: readonly string[] },
): Promise<readonly FileChange[]> {
  const below = new LowerTree(layer.lower);
  const leaveOut = new Set(options.leaveOut);
  const changes: FileChange[] = [];
  /** Folders on the way to the entry at hand, with their place in `changes` or where it would be. */
  const open: {
    readonly path: string;
    readonly at: number;
    readonly kind: FileChange["kind"];
    told: boolean;
  }[] = [];
  const tell = (path: string, kind: FileChange["kind"]) => {
    for (const folder of open.toReversed()) {
      if (folder.told) break;
      folder.told = true;
      changes.splice(folder.at, 0, { path: shown(folder.path), kind: folder.kind });
    }
    changes.push({ path: shown(path), kind });
  };
  for await (const entry of readEntries(layer.upper, options)) {
    while (open.length > 0 && !entry.path.startsWith(`${open.at(-1)?.path}/`)) open.pop();
    const lower = await below.find(entry.path);
    if (entry.kind === "whiteout") {
      if (lower !== undefined) tell(entry.path, "deleted");
      continue;
    }
    const isFolder = entry.kind !== "other";
    if (lower === undefined) {
      if (!isFolder && entry.sizeBytes === 0 && leaveOut.has(entry.path)) continue;
      const isOurs = isFolder && leaveOut.has(entry.path);
      if (!isOurs) tell(entry.path, "added");
      if (isFolder) open.push({ path: entry.path, at: changes.length, kind: "added", told: !isOurs });
      continue;
    }
    const differs = isDifferent(entry, lower);
    if (differs) tell(entry.path, "modified");
    if (!isFolder) continue;
    open.push({ path: entry.path, at: changes.length, kind: "modified", told: differs });
    if (entry.kind === "opaque-folder" && lower.isDirectory()) {
      for (const name of await below.names(entry.path)) {
        const path = `${entry.path}/${name}`;
        if ((await findIn(layer.upper, path)) === undefined) tell(path, "deleted");
      }
    }
  }
  return changes;
}

async function* readEntries(
  upper: string,
  options: FilesOptions,
): AsyncGenerator<UpperEntry, void, undefined> {
  let rest = "";
  for await (const chunk of readFiles({ kind: "folder", path: upper }, { kind: "scan" }, options)) {
    const lines = (rest + Buffer.from(chunk).toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line) as UpperEntry;
  }
}

/** As moby's `statDifferent`: of folders neither size nor time say anything. */
function isDifferent(entry: UpperEntry, lower: Stats): boolean {
  if (entry.mode !== lower.mode || entry.uid !== lower.uid || entry.gid !== lower.gid) return true;
  if (entry.kind !== "other") return false;
  return entry.sizeBytes !== lower.size || entry.mtimeMs !== lower.mtimeMs;
}

/**
 * Unpacked layers as overlay would show them together. They never change, so what was once a folder stays one, and no link is
 * followed on the way.
 */
class LowerTree {
  /** Folder → the layers that show their part of it, topmost first. */
  readonly #stacks = new Map<string, Promise<readonly string[]>>();

  constructor(layers: readonly string[]) {
    this.#stacks.set("", Promise.resolve(layers));
  }

  async find(path: string): Promise<Stats | undefined> {
    for (const layer of await this.#stackOf(parentOf(path))) {
      const found = await findIn(layer, path);
      if (found !== undefined) return isWhiteout(found) ? undefined : found;
    }
    return undefined;
  }

  /** Names in a folder. */
  async names(path: string): Promise<readonly string[]> {
    const names = new Set<string>();
    for (const layer of await this.#stackOf(path)) {
      for (const name of await readdir(absolute(layer, path), "latin1")) names.add(name);
    }
    const found: string[] = [];
    for (const name of [...names].sort()) {
      if ((await this.find(path === "" ? name : `${path}/${name}`)) !== undefined) found.push(name);
    }
    return found;
  }

  #stackOf(folder: string): Promise<readonly string[]> {
    const known = this.#stacks.get(folder);
    if (known !== undefined) return known;
    const stack = this.#findStack(folder);
    this.#stacks.set(folder, stack);
    return stack;
  }

  async #findStack(folder: string): Promise<readonly string[]> {
    const stack: string[] = [];
    for (const layer of await this.#stackOf(parentOf(folder))) {
      const found = await findIn(layer, folder);
      if (found === undefined) continue;
      if (!found.isDirectory()) break;
      stack.push(layer);
      if (getXattr(absolute(layer, folder), "trusted.overlay.opaque") !== undefined) break;
    }
    return stack;
  }
}

async function findIn(layer: string, path: string): Promise<Stats | undefined> {
  try {
    return await lstat(absolute(layer, path));
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}

function isWhiteout(stats: Stats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function absolute(layer: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${layer}/`), tarPathBytes(path)]);
}

function shown(path: string): string {
  return `/${tarPathBytes(path).toString()}`;
}
