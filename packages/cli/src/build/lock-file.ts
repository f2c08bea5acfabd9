import { readFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { errnoOf, writeFileAtomic } from "@hawser/base";
import { cliFaults } from "../faults.ts";
import type { BuildContext } from "./build-context.ts";

/** What builds began with that is not in their contexts, as the engine tells it. */
export interface LockedSources {
  /** By name in full. */
  readonly images: Readonly<
    Record<string, LockedImage | { readonly platforms: Readonly<Record<string, LockedImage>> }>
  >;
  /** By address: digests of what is there. */
  readonly files: Readonly<Record<string, string>>;
  /** By reference: ids of commits. */
  readonly repositories: Readonly<Record<string, string>>;
}

/** The registry's digest, or the id of an image that only the engine has. */
type LockedImage = { readonly digest: string } | { readonly id: string };

const lockVersion = 1;

/** Where the lock file of a build is: in its context where that is a folder, else in the working folder. */
export function lockFileOf(
  { files }: Pick<BuildContext, "files">,
  { name, workingDir }: { readonly name: string; readonly workingDir: string },
): string {
  if (name !== "") return resolve(workingDir, name);
  return join(files.kind === "folder" ? files.folder.path : workingDir, "hawser.lock");
}

/** The same context without the file: what it says of the build is not to change the build. */
export function withoutLockFile(context: BuildContext, path: string): BuildContext {
  const { files } = context;
  if (files.kind !== "folder") return context;
  const { folder } = files;
  const inside = relative(folder.path, path);
  if (inside === "" || inside.startsWith("..")) return context;
  const pattern = inside.replace(/[*?[\\]/g, "\\$&");
  return {
    ...context,
    files: { kind: "folder", folder: { ...folder, ignore: [...folder.ignore, pattern] } },
  };
}

/** @throws {Fault} `not-found`, `invalid-argument` */
export async function readLockFile(path: string): Promise<LockedSources> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    const why = errno === "ENOENT" ? "there is none; --lock writes one" : errno;
    throw cliFaults.FILE_UNREADABLE(`Cannot read the lock file ${path}: ${why}`).because(error);
  }
  const invalid = (why: string) => cliFaults.VALUE_INVALID(`Cannot read the lock file ${path}: ${why}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid("it is no JSON");
  }
  if (!isRecord(value)) throw invalid("it is no JSON object");
  const { version, images, files, repositories } = value;
  if (version !== lockVersion)
    throw invalid(`it has version ${JSON.stringify(version)}, ${lockVersion} was wanted`);
  const isText = (text: unknown): text is string => typeof text === "string";
  const isPin = (pin: unknown): pin is LockedImage =>
    isRecord(pin) && (isText(pin["digest"]) || isText(pin["id"]));
  const isEntry = (pin: unknown): pin is LockedSources["images"][string] =>
    isPin(pin) ||
    (isRecord(pin) && isRecord(pin["platforms"]) && recordOf(pin["platforms"], isPin) !== undefined);
  return {
    images: recordOf(images, isEntry) ?? refuse("images"),
    files: recordOf(files, isText) ?? refuse("files"),
    repositories: recordOf(repositories, isText) ?? refuse("repositories"),
  };

  function refuse(field: string): never {
    throw invalid(`what "${field}" has is not what --lock writes`);
  }
}

/** The same sources, the same bytes. @throws {Fault} `not-implemented` when the engine does not tell what it used */
export async function writeLockFile(path: string, sources: LockedSources | undefined): Promise<void> {
  if (sources === undefined)
    throw cliFaults.OPTIONS_CONFLICT("--lock: the engine does not tell what it builds from");
  const { images, files, repositories } = sources;
  const lock = {
    version: lockVersion,
    images: sorted(images),
    files: sorted(files),
    repositories: sorted(repositories),
  };
  await writeFileAtomic(path, `${JSON.stringify(lock, undefined, 2)}\n`, { mode: 0o644 });
}

function sorted<Value>(map: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> {
  return Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Absent: empty. @returns `undefined`: something in it is not what it has to be */
function recordOf<Value>(
  value: unknown,
  isValue: (item: unknown) => item is Value,
): Readonly<Record<string, Value>> | undefined {
  if (value === undefined) return {};
  if (!isRecord(value)) return undefined;
  const entries = Object.entries(value);
  return entries.every((entry): entry is [string, Value] => isValue(entry[1]))
    ? Object.fromEntries(entries)
    : undefined;
}
