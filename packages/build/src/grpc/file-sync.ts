import type { MessageShape } from "@bufbuild/protobuf";
import type { TarSource } from "@hawser/base";
import type { ClientSession } from "./client-session.ts";
import { protocolFaults } from "./faults.ts";
import { Packet_PacketType as Kind, PacketSchema, type Stat } from "./generated/fsutil_pb.ts";
import { permissionsOfGoMode, typeOfGoMode } from "./go-mode.ts";
import { GrpcCall } from "./grpc-call.ts";

/** Which part of a client's folder is wanted. Patterns are those of `.dockerignore`. */
export interface FolderRequest {
  /** As the client names it: `context`, `dockerfile`. */
  readonly name: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** These only, and what links in them lead to. */
  readonly follow?: readonly string[];
  readonly signal: AbortSignal;
  /** Bytes that have come so far. */
  readonly onProgress: (bytes: number) => void;
}

const method = "/moby.filesync.v1.FileSync/DiffCopy";

/** More files, or longer names, are nobody's source. */
const maxEntries = 4_000_000;
/** Content that is asked for ahead of the file that is being written. */
const maxAheadBytes = 8 << 20;
const maxAheadFiles = 256;

/** A file that a client has. */
export interface ListedFile {
  readonly path: string;
  /** Everything but the content: while it is the same, so is the file. */
  readonly mark: string;
}

/** A client's folder, listed, its files not sent yet. */
export interface FolderTransfer extends Disposable {
  /** In the order of the paths. */
  readonly listed: readonly ListedFile[];
  /**
   * Those that are wanted, as entries of an archive, in order; then the transfer is over.
   *
   * @throws {Fault} `conflict` when a file changes meanwhile, `invalid-argument` for what no client sends
   */
  receive(wants: (file: ListedFile) => boolean): AsyncGenerator<TarSource, void, undefined>;
}

/**
 * Have a client list a folder (fsutil's protocol: the client lists its files, is asked for the content of those that are wanted, and
 * told when that is all).
 *
 * @throws {Fault} `not-found` when the client has no such folder, `invalid-argument` for what no client sends
 */
export async function listFolder(session: ClientSession, request: FolderRequest): Promise<FolderTransfer> {
  if (!session.serves(method)) throw protocolFaults.SESSION_LACKS(`folder ${request.name}`);
  const call = new GrpcCall(session.http2, {
    path: method,
    input: PacketSchema,
    output: PacketSchema,
    metadata: metadataOf(request),
    signal: request.signal,
  });
  try {
    const reader = new PacketReader(call, request);
    const entries = (await reader.list()).map((stat, id) => ({
      id,
      stat,
      path: stat.path,
      mark: markOf(stat),
    }));
    return {
      listed: entries,
      receive: (wants) => receive(call, { reader, entries: entries.filter(wants), name: request.name }),
      [Symbol.dispose]: () => call[Symbol.dispose](),
    };
  } catch (error) {
    call[Symbol.dispose]();
    throw error;
  }
}

async function* receive(
  call: GrpcCall<typeof PacketSchema, typeof PacketSchema>,
  from: {
    readonly reader: PacketReader;
    readonly entries: readonly { readonly id: number; readonly stat: Stat }[];
    readonly name: string;
  },
): AsyncGenerator<TarSource, void, undefined> {
  const { reader, entries, name } = from;
  const files = entries.flatMap(({ id, stat }) =>
    isFile(stat) ? [{ id, sizeBytes: Number(stat.size) }] : [],
  );
  const ask = createAsker(call, files);
  for (const { id, stat } of entries) {
    const entry = entryOf(stat, name);
    if (entry === undefined) continue;
    if (!isFile(stat)) {
      yield entry;
      continue;
    }
    await ask(id);
    yield { ...entry, content: { sizeBytes: Number(stat.size), open: () => reader.content(id, stat) } };
    await reader.skip(id);
  }
  await call.send({ type: Kind.PACKET_FIN });
  await reader.finish();
  call.end();
}

/** All of a client's folder. @throws {Fault} as `listFolder`, `FolderTransfer.receive` */
export async function* receiveFolder(
  session: ClientSession,
  request: FolderRequest,
): AsyncGenerator<TarSource, void, undefined> {
  using transfer = await listFolder(session, request);
  yield* transfer.receive(() => true);
}

function markOf({ mode, uid, gid, size, modTime, linkName, devMajor, devMinor, xattrs }: Stat): string {
  const attributes = Object.entries(xattrs).map(
    ([name, value]) => `${name}=${Buffer.from(value).toString("hex")}`,
  );
  return [mode, uid, gid, size, modTime, devMajor, devMinor, linkName, ...attributes].join("\0");
}

function metadataOf({ name, include, exclude, follow }: FolderRequest) {
  const lists = { "include-patterns": include, "exclude-patterns": exclude, followpaths: follow };
  const metadata: Record<string, string | string[]> = { "dir-name": name };
  for (const [key, values] of Object.entries(lists)) {
    if (values === undefined || values.length === 0) continue;
    const isPlain = values.every((value) => /^[\x20-\x7e]*$/.test(value));
    metadata[key] = isPlain ? [...values] : values.map(encodeURIComponent);
    if (!isPlain) metadata[`${key}-encoded`] = "1";
  }
  return metadata;
}

/** Asks for files ahead of the one that is wanted next, within bounds. */
function createAsker(
  call: GrpcCall<typeof PacketSchema, typeof PacketSchema>,
  files: readonly { readonly id: number; readonly sizeBytes: number }[],
): (id: number) => Promise<void> {
  let asked = 0;
  let done = 0;
  let aheadBytes = 0;
  return async (id) => {
    while (files[done] !== undefined && (files[done]?.id ?? id) < id) {
      aheadBytes -= files[done]?.sizeBytes ?? 0;
      done++;
    }
    for (;;) {
      const next = files[asked];
      if (next === undefined) return;
      const isAhead = next.id > id;
      if (isAhead && (asked - done >= maxAheadFiles || aheadBytes + next.sizeBytes > maxAheadBytes)) return;
      aheadBytes += next.sizeBytes;
      asked++;
      await call.send({ type: Kind.PACKET_REQ, id: next.id });
    }
  };
}

/** What a client sends, one packet after the other; content that comes early waits. */
class PacketReader {
  readonly #batches: AsyncGenerator<readonly MessageShape<typeof PacketSchema>[], void, undefined>;
  readonly #request: FolderRequest;
  readonly #waiting = new Map<number, { readonly chunks: Uint8Array[]; isWhole: boolean }>();
  #bytes = 0;

  constructor(call: GrpcCall<typeof PacketSchema, typeof PacketSchema>, request: FolderRequest) {
    this.#batches = call.batches();
    this.#request = request;
  }

  /** All that the folder has, in the order of the paths. */
  async list(): Promise<readonly Stat[]> {
    const entries: Stat[] = [];
    for (;;) {
      for (const { type, stat, data } of await this.#next()) {
        if (type === Kind.PACKET_ERR) throw this.#failed(data);
        if (type !== Kind.PACKET_STAT) throw this.#invalid("content came before it was asked for");
        if (stat === undefined) return entries;
        if (entries.length === maxEntries) throw this.#invalid(`it has more than ${maxEntries} files`);
        entries.push(stat);
      }
      this.#request.onProgress(this.#bytes);
    }
  }

  /** The content of a file that was asked for, read once. */
  async *content(id: number, { path, size }: Stat): AsyncGenerator<Uint8Array, void, undefined> {
    let rest = Number(size);
    for (;;) {
      const file = this.#waiting.get(id);
      for (const chunk of file?.chunks.splice(0) ?? []) {
        rest -= chunk.length;
        if (rest < 0) throw protocolFaults.FILE_CHANGED(path);
        yield chunk;
      }
      if (file?.isWhole === true) {
        if (rest > 0) throw protocolFaults.FILE_CHANGED(path);
        return;
      }
      await this.#take();
    }
  }

  /** Drop what nobody has read of a file. */
  async skip(id: number): Promise<void> {
    while (this.#waiting.get(id)?.isWhole !== true) await this.#take();
    this.#waiting.delete(id);
  }

  /** The client says that it has nothing more. */
  async finish(): Promise<void> {
    for (;;) for (const { type } of await this.#next()) if (type === Kind.PACKET_FIN) return;
  }

  async #take(): Promise<void> {
    for (const { type, id, data } of await this.#next()) {
      if (type === Kind.PACKET_ERR) throw this.#failed(data);
      if (type !== Kind.PACKET_DATA) throw this.#invalid("something other than content came");
      const file = this.#waiting.get(id) ?? { chunks: [], isWhole: false };
      this.#waiting.set(id, file);
      if (data.length === 0) file.isWhole = true;
      else file.chunks.push(data);
      this.#bytes += data.length;
    }
    this.#request.onProgress(this.#bytes);
  }

  async #next() {
    const { value, done } = await this.#batches.next();
    if (done === true || value === undefined) throw this.#invalid("it ended early");
    return value;
  }

  #failed(data: Uint8Array) {
    return protocolFaults.TRANSFER_FAILED(this.#request.name, Buffer.from(data).toString());
  }

  #invalid(words: string) {
    return protocolFaults.TRANSFER_INVALID(this.#request.name, words);
  }
}

function isFile({ mode, linkName }: Stat): boolean {
  return typeOfGoMode(mode) === "file" && linkName === "";
}

/** `undefined`: nothing that an archive has, a socket. */
function entryOf(stat: Stat, name: string): TarSource | undefined {
  const type = typeOfGoMode(stat.mode);
  if (type === undefined) return undefined;
  if (stat.path === "" || stat.size < 0n || stat.size > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw protocolFaults.TRANSFER_INVALID(name, `an entry ${JSON.stringify(stat.path)} makes no sense`);
  }
  return {
    path: stat.path,
    type: type === "file" && stat.linkName !== "" ? "hardlink" : type,
    mode: permissionsOfGoMode(stat.mode),
    uid: stat.uid,
    gid: stat.gid,
    mtimeNs: stat.modTime,
    linkPath: stat.linkName,
    deviceMajor: Number(stat.devMajor),
    deviceMinor: Number(stat.devMinor),
    xattrs: new Map(Object.entries(stat.xattrs)),
  };
}
