import { lstatSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import {
  compileIgnorePatterns,
  errnoOf,
  type IgnorePatterns,
  parseIgnoreFile,
  type TarSource,
  writeTar,
} from "@hawser/base";
import { listContent } from "../copy/pack-files.ts";
import { cliFaults } from "../faults.ts";
import type { Session } from "../session.ts";

/** A folder to build from. */
export interface ContextFolder {
  /** For an engine that sees the same one. */
  readonly path: string;
  readonly device: string;
  readonly inode: string;
  readonly ignore: readonly string[];
}

/** What is to be built, as the user named it. */
export interface BuildContext {
  /** The Dockerfile; absent: it is in the context, under `filename`. */
  readonly source?: { readonly filename: string; readonly text: string };
  readonly filename: string;
  /** Where the files are: a folder here, an address for the engine, an archive on standard input, nowhere. */
  readonly files:
    | { readonly kind: "folder"; readonly folder: ContextFolder }
    | { readonly kind: "remote"; readonly address: string }
    | { readonly kind: "archive"; readonly archive: AsyncIterable<Uint8Array> }
    | { readonly kind: "none" };
}

/**
 * Find what to build.
 *
 * @param options.dockerfile empty: `Dockerfile` in the context; `-`: standard input. With an address as the context it is a file
 *   here if there is one of that name, else in the context.
 * @throws {Fault} `not-found`, `invalid-argument`
 */
export async function openBuildContext(
  session: Session,
  options: { readonly path: string; readonly dockerfile: string },
): Promise<BuildContext> {
  const { path, dockerfile } = options;
  if (path === "-" && dockerfile === "-") {
    throw cliFaults.OPTIONS_CONFLICT(
      "invalid argument: can't use stdin for both build context and dockerfile",
    );
  }
  const filename = dockerfile || "Dockerfile";
  const piped = async () => ({ filename: "Dockerfile", text: (await readAll(session.stdin)).toString() });
  if (path === "-") return await contextOfInput(session, filename);
  if (isAddress(path)) {
    const files = { kind: "remote", address: path } as const;
    if (dockerfile === "-") return { source: await piped(), filename: "Dockerfile", files };
    const text = dockerfile === "" ? undefined : readIfThere(resolve(session.workingDir, dockerfile));
    return { ...(text !== undefined && { source: { filename: basename(filename), text } }), filename, files };
  }
  const folder = resolve(session.workingDir, path);
  if (dockerfile === "-") {
    const files = { kind: "folder", folder: contextFolder(folder) } as const;
    return { source: await piped(), filename: "Dockerfile", files };
  }
  const place = dockerfile === "" ? join(folder, "Dockerfile") : resolve(session.workingDir, dockerfile);
  const files = { kind: "folder", folder: contextFolder(folder, place) } as const;
  const source = { filename: basename(place), text: readDockerfile(place).toString() };
  return { source, filename: source.filename, files };
}

/** Whether the engine gets the files itself. */
export function isAddress(path: string): boolean {
  return /^(https?:\/\/|ssh:\/\/|git@|git:\/\/|github\.com\/)/.test(path);
}

/**
 * A folder without what its `.dockerignore` leaves out. `<Dockerfile>.dockerignore` wins over the folder's.
 *
 * @throws {Fault} `not-found`, `invalid-argument`
 */
export function contextFolder(path: string, dockerfile?: string): ContextFolder {
  if (!isFolder(path)) {
    throw cliFaults.FILE_UNREADABLE(`unable to prepare context: path ${JSON.stringify(path)} not found`);
  }
  const own = dockerfile === undefined ? undefined : readIfThere(`${dockerfile}.dockerignore`);
  const text = own ?? readIfThere(join(path, ".dockerignore")) ?? "";
  const { dev, ino } = lstatSync(`${path}/.`, { bigint: true });
  const ignore = parseIgnoreFile(text);
  ignorePatterns(ignore);
  return { path, device: String(dev), inode: String(ino), ignore };
}

/** Its files as an archive, with `extra` ones. */
export function packFolder(
  { path, ignore }: ContextFolder,
  extra: readonly TarSource[] = [],
): AsyncIterable<Uint8Array> {
  async function* entries(): AsyncGenerator<TarSource, void, undefined> {
    yield* listContent(path, ignorePatterns(ignore));
    yield* extra;
  }
  return writeTar(entries());
}

function ignorePatterns(ignore: readonly string[]): IgnorePatterns {
  try {
    return compileIgnorePatterns(ignore);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw cliFaults.VALUE_INVALID(`error checking context: ${error.message}`);
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(String(errnoOf(error)))) return undefined;
    throw error;
  }
}

function readDockerfile(place: string): Buffer {
  try {
    return readFileSync(place);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    const why = errno === "ENOENT" ? "no such file or directory" : errno;
    throw cliFaults
      .FILE_UNREADABLE(
        `unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat ${place}: ${why}`,
      )
      .because(error);
  }
}

function isFolder(path: string): boolean {
  try {
    return lstatSync(`${path}/.`).isDirectory();
  } catch {
    return false;
  }
}

const maxDockerfileBytes = 16 << 20;

async function readAll(input: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of input) {
    size += chunk.length;
    if (size > maxDockerfileBytes)
      throw cliFaults.VALUE_INVALID("the Dockerfile on standard input is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** An archive, plain or compressed, as it is; anything else is a Dockerfile. */
async function contextOfInput(session: Session, filename: string): Promise<BuildContext> {
  const input = session.stdin[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  const head: Uint8Array[] = [];
  let size = 0;
  while (size < 512) {
    const next = await input.next();
    if (next.done === true) break;
    head.push(next.value);
    size += next.value.length;
  }
  const first = Buffer.concat(head);
  async function* all(): AsyncGenerator<Uint8Array, void, undefined> {
    yield first;
    for (let next = await input.next(); next.done !== true; next = await input.next()) yield next.value;
  }
  if (isArchive(first)) return { filename, files: { kind: "archive", archive: all() } };
  const text = (await readAll(all())).toString();
  return { source: { filename: "Dockerfile", text }, filename: "Dockerfile", files: { kind: "none" } };
}

const magics = [
  [0x1f, 0x8b],
  [0x42, 0x5a, 0x68],
  [0xfd, 0x37, 0x7a, 0x58, 0x5a],
  [0x28, 0xb5, 0x2f, 0xfd],
] as const;

function isArchive(head: Buffer): boolean {
  return (
    head.toString("latin1", 257, 262) === "ustar" ||
    magics.some((magic) => magic.every((byte, at) => head[at] === byte))
  );
}
