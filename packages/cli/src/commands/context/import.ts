import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { errnoOf, Fault, readTar } from "@hawser/base";
import { defineCommand } from "../../command.ts";
import {
  ContextStore,
  checkContextName,
  parseMeta,
  type StoredContext,
  type TlsFiles,
  tlsFileNames,
} from "../../contexts/context-store.ts";
import { readZip } from "../../contexts/read-zip.ts";
import { cliFaults } from "../../faults.ts";
import { printLine, type Session, warnLine } from "../../session.ts";

/** As Docker's: a context is a few kilobytes. */
const maxArchiveBytes = 10 << 20;

export const command = defineCommand({
  usage: "CONTEXT FILE|-",
  flags: {},
  arguments: { min: 2, max: 2 },
  async run({ args, session }) {
    const [name = "", source = ""] = args;
    checkContextName(name);
    const store = new ContextStore(session.configDir);
    if (store.has(name)) throw cliFaults.CONTEXT_EXISTS(name);
    const { context, tls } = await readArchive(openArchive(session, source), source);
    store.write({ ...context, name }, tls);
    await printLine(session, name);
    await warnLine(session, `Successfully imported context "${name}"`);
    return 0;
  },
});

/** Bytes of the archive, as long as they are not too many. */
async function* openArchive(session: Session, source: string): AsyncGenerator<Uint8Array> {
  const stream = source === "-" ? session.stdin : createReadStream(resolve(session.workingDir, source));
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxArchiveBytes) throw cliFaults.ARCHIVE_INVALID(source, `more than ${maxArchiveBytes} bytes`);
    yield chunk;
  }
}

/** Its paths are compared with those that a context has; none of them becomes a path of ours. */
async function readArchive(
  bytes: AsyncIterable<Uint8Array>,
  source: string,
): Promise<{ readonly context: StoredContext; readonly tls: TlsFiles }> {
  let context: StoredContext | undefined;
  const tls: Record<string, Buffer> = {};
  const tlsFileOf = (path: string) => tlsFileNames.find((known) => path === `tls/docker/${known}`);
  try {
    for await (const { path, read } of readFiles(bytes)) {
      const file = tlsFileOf(path);
      if (path === "meta.json") context = parseMeta((await read()).toString());
      else if (file !== undefined) tls[file] = await read();
    }
  } catch (error) {
    if (errnoOf(error) === "ENOENT")
      throw cliFaults.FILE_UNREADABLE(`open ${source}: no such file or directory`).because(error);
    throw cliFaults.ARCHIVE_INVALID(source, Fault.from(error).message).because(error);
  }
  if (context === undefined) throw cliFaults.ARCHIVE_INVALID(source, "invalid context: no metadata found");
  return { context, tls };
}

/** The files of a tar archive, or of a zip file, which its first bytes tell. */
async function* readFiles(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<{
  readonly path: string;
  readonly read: () => Promise<Buffer>;
}> {
  const archive = await collect(bytes);
  if (archive.subarray(0, 2).toString() === "PK") {
    for (const { name, data } of readZip(archive, { maxBytes: maxArchiveBytes }))
      yield { path: name, read: async () => data };
    return;
  }
  for await (const { entry, data } of readTar(chunksOf(archive))) {
    if (entry.type === "file") yield { path: entry.path.toString(), read: () => collect(data) };
  }
}

async function* chunksOf(archive: Buffer): AsyncGenerator<Uint8Array> {
  yield archive;
}

async function collect(data: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of data) chunks.push(chunk);
  return Buffer.concat(chunks);
}
