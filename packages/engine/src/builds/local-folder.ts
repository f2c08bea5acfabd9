import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { readTar, type TarSource, tarSourceOf } from "@hawser/base";
import { type ListedEntry, OpenFiles, readFiles } from "@hawser/store";
import { buildFaults } from "./faults.ts";
import type { ListedFolder } from "./kept-contexts.ts";

/** A folder of this machine, as a client names it that says it sees the same. */
export interface LocalFolder {
  readonly path: string;
  /** What the client's kernel says of it: in another mount namespace the same path may be another folder. */
  readonly device: string;
  readonly inode: string;
  /** Patterns of `.dockerignore`. */
  readonly ignore: readonly string[];
}

/** @throws {Fault} `conflict` when it is not the folder that the client means */
export async function checkLocalFolder({
  path,
  device,
  inode,
}: Pick<LocalFolder, "path" | "device" | "inode">): Promise<void> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  const isSame =
    found !== undefined && found.isDirectory() && String(found.dev) === device && String(found.ino) === inode;
  if (!isSame) throw buildFaults.FOLDER_ELSEWHERE(path);
}

/**
 * List a folder; its files are read by a worker that is confined to it, until disposal.
 *
 * @throws {Fault} `conflict` when it is not the folder that the client means
 */
export async function listLocalFolder(
  { path, device, inode, ignore }: LocalFolder,
  options: {
    /** These paths only, and what links in them lead to. */
    readonly follow?: readonly string[] | undefined;
    readonly signal: AbortSignal;
    /** Told of bytes that were read of files. */
    readonly onBytes: (bytes: number) => void;
  },
): Promise<ListedFolder & AsyncDisposable> {
  const { follow, signal, onBytes } = options;
  await checkLocalFolder({ path, device, inode });
  await using opening = new AsyncDisposableStack();
  const root = opening.use(new OpenFiles({ kind: "folder", path }));
  const job = { kind: "list", ignore, ...(follow && { follow }) } as const;
  const lines = Buffer.concat(await Array.fromAsync(readFiles(root, job, { signal })));
  const opened = opening.move();
  let listed: ListedFolder["listed"] | undefined;
  // Where nothing has changed, nobody reads it.
  const list = () => {
    listed ??= parseLines(lines);
    return listed;
  };
  return {
    digest: createHash("sha256").update(lines).digest("hex"),
    get listed() {
      return list();
    },
    async *receive(wants) {
      const paths = list()
        .filter(wants)
        .map((file) => file.path);
      if (paths.length === 0) return;
      yield* entriesOf(readFiles(root, { kind: "pick", paths }, { signal }), onBytes);
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function parseLines(lines: Buffer): ListedFolder["listed"] {
  return lines
    .toString()
    .trimEnd()
    .split("\n")
    .flatMap((line) => JSON.parse(line) as readonly ListedEntry[])
    .map(([path, mark]) => ({ path, mark }));
}

async function* entriesOf(
  archive: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<TarSource, void, undefined> {
  for await (const member of readTar(archive)) {
    onBytes(member.entry.sizeBytes);
    yield tarSourceOf(member);
  }
}
