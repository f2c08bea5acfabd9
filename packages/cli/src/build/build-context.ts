import { randomBytes } from "node:crypto";
import { lstatSync, readFileSync } from "node:fs";
import { isAbsolute, join, relative, resolve } from "node:path";
import { compileIgnorePatterns, errnoOf, parseIgnoreFile, type TarSource, writeTar } from "@hawser/base";
import { listContent } from "../copy/pack-files.ts";
import { cliFaults } from "../faults.ts";
import type { Session } from "../session.ts";

/** What is sent to be built. */
export interface BuildContext {
  /** Absent: the engine gets the files itself. */
  readonly archive?: AsyncIterable<Uint8Array>;
  /** Where it gets them. */
  readonly remote?: string;
  /** The same files where they are, for an engine that sees the same folder. */
  readonly folder?: {
    readonly path: string;
    readonly device: string;
    readonly inode: string;
    readonly ignore: readonly string[];
  };
  /** Where the Dockerfile is in it. */
  readonly dockerfile: string;
}

/**
 * The files to build with: a repository or an address for the engine, a folder without what its `.dockerignore` leaves out, or with `-` what standard input gives, an
 * archive or a Dockerfile alone.
 *
 * @param options.dockerfile empty: `Dockerfile` in the context; `-`: standard input
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
  if (path === "-") return await contextOfInput(session, dockerfile || "Dockerfile");
  if (/^(https?:\/\/|ssh:\/\/|git@|git:\/\/|github\.com\/)/.test(path)) {
    return { remote: path, dockerfile: dockerfile || "Dockerfile" };
  }
  const folder = resolve(session.workingDir, path);
  if (!isFolder(folder)) {
    throw cliFaults.FILE_UNREADABLE(`unable to prepare context: path ${JSON.stringify(path)} not found`);
  }
  if (dockerfile === "-") return contextWith(folder, await readAll(session.stdin));
  const place = dockerfile === "" ? join(folder, "Dockerfile") : resolve(session.workingDir, dockerfile);
  const text = readDockerfile(place);
  const inside = relative(folder, place);
  if (inside.startsWith("..") || isAbsolute(inside)) return contextWith(folder, text, place);
  const { patterns, ignored } = ignoredIn(folder, place);
  if (ignored.ignores(inside)) return contextWith(folder, text, place);
  const { dev, ino } = lstatSync(`${folder}/.`, { bigint: true });
  return {
    archive: writeTar(listContent(folder, ignored)),
    dockerfile: inside,
    folder: { path: folder, device: String(dev), inode: String(ino), ignore: patterns },
  };
}

/** A folder, and a Dockerfile that is not in it, or that is left out, under a name of no file. */
function contextWith(folder: string, text: Uint8Array, place?: string): BuildContext {
  const dockerfile = `.dockerfile.${randomBytes(10).toString("hex")}`;
  const { patterns, ignored } = ignoredIn(folder, place);
  const hasIgnoreFile = readIfThere(join(folder, ".dockerignore")) !== undefined;
  return { archive: writeTar(entries()), dockerfile };

  async function* entries(): AsyncGenerator<TarSource, void, undefined> {
    yield* listContent(folder, ignored);
    yield { path: dockerfile, type: "file", mode: 0o600, content: text };
    // What was sent to be read only says of itself that it is no part of the context.
    const own = [...patterns, dockerfile, ...(hasIgnoreFile ? [] : [".dockerignore"])];
    yield { path: ".dockerignore", type: "file", mode: 0o644, content: Buffer.from(`${own.join("\n")}\n`) };
  }
}

/** `<Dockerfile>.dockerignore` wins over the folder's. */
function ignoredIn(folder: string, dockerfile: string | undefined) {
  const own = dockerfile === undefined ? undefined : readIfThere(`${dockerfile}.dockerignore`);
  const text = own ?? readIfThere(join(folder, ".dockerignore")) ?? "";
  try {
    const patterns = parseIgnoreFile(text);
    return { patterns, ignored: compileIgnorePatterns(patterns) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw cliFaults.VALUE_INVALID(`error checking context: ${error.message}`);
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function readDockerfile(place: string): Uint8Array {
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

async function readAll(input: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
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
async function contextOfInput(session: Session, dockerfile: string): Promise<BuildContext> {
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
  if (isArchive(first)) return { archive: all(), dockerfile };
  const text = await readAll(all());
  return {
    archive: writeTar([{ path: "Dockerfile", type: "file", content: text }]),
    dockerfile: "Dockerfile",
  };
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
