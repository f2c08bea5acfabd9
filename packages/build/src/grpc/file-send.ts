import type { TarEntryType } from "@hawser/base";
import type { ClientSession } from "./client-session.ts";
import { protocolFaults } from "./faults.ts";
import { Packet_PacketType as Kind, PacketSchema } from "./generated/fsutil_pb.ts";
import { BytesMessageSchema } from "./generated/session_pb.ts";
import { goModeOf } from "./go-mode.ts";
import { GrpcCall } from "./grpc-call.ts";

const method = "/moby.filesync.v1.FileSend/DiffCopy";

export interface SendTarget {
  /** The exporter's place in the client's request. */
  readonly exporterId: number;
  readonly signal: AbortSignal;
}

function metadataOf({ exporterId }: SendTarget) {
  return { "buildkit-attachable-exporter-id": String(exporterId) };
}

/** Give the client a file: an archive that it asked for. @throws {Fault} `unavailable`; what the client refuses */
export async function sendBytes(
  session: ClientSession,
  bytes: AsyncIterable<Uint8Array>,
  target: SendTarget & { readonly metadata: Readonly<Record<string, string>> },
): Promise<void> {
  if (!session.serves(method)) throw protocolFaults.SESSION_LACKS("place for files");
  const told = Object.entries(target.metadata).map(
    ([name, value]) => [`exporter-md-${name}`, value] as const,
  );
  using call = new GrpcCall(session.http2, {
    path: method,
    input: BytesMessageSchema,
    output: BytesMessageSchema,
    metadata: { ...metadataOf(target), ...Object.fromEntries(told) },
    signal: target.signal,
  });
  for await (const data of bytes) {
    for (let at = 0; at < data.length; at += maxPieceBytes) {
      await call.send({ data: data.subarray(at, at + maxPieceBytes) });
    }
  }
  call.end();
  for await (const _ of call.batches()); // until the client has it all
}

/** A file to send. */
export interface SentFile {
  /** Without leading slash. */
  readonly path: string;
  readonly type: TarEntryType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly linkPath: string;
  readonly content: () => AsyncIterable<Uint8Array>;
}

/**
 * Give the client a folder, with fsutil's protocol the other way round: it is told of the files and asks for what it has not.
 *
 * @param files in the order of a walk: a folder, then what is in it, names in the order of their bytes
 * @throws {Fault} `unavailable`; what the client refuses
 */
export async function sendFolder(
  session: ClientSession,
  files: AsyncIterable<SentFile>,
  target: SendTarget,
): Promise<void> {
  if (!session.serves(method)) throw protocolFaults.SESSION_LACKS("place for files");
  using call = new GrpcCall(session.http2, {
    path: method,
    input: PacketSchema,
    output: PacketSchema,
    metadata: metadataOf(target),
    signal: target.signal,
  });
  const sent: SentFile[] = [];
  const listed = (async () => {
    for await (const file of files) {
      sent.push(file);
      const { path, type, mode, uid, gid, mtimeNs, linkPath } = file;
      const size = type === "file" ? BigInt(file.sizeBytes) : 0n;
      const stat = { path, mode: goModeOf(type, mode), uid, gid, size, modTime: mtimeNs, linkName: linkPath };
      await call.send({ type: Kind.PACKET_STAT, stat });
    }
    await call.send({ type: Kind.PACKET_STAT });
  })();
  let broken: { readonly error: unknown } | undefined;
  listed.catch(async (error: unknown) => {
    broken = { error };
    // It waits for more.
    await call.send({ type: Kind.PACKET_ERR, data: Buffer.from("the files cannot be read") });
    call.end();
  });
  try {
    for await (const packets of call.batches()) {
      for (const { type, id, data } of packets) {
        if (type === Kind.PACKET_ERR) {
          throw protocolFaults.TRANSFER_FAILED("files", Buffer.from(data).toString());
        }
        if (type === Kind.PACKET_FIN) {
          await listed;
          await call.send({ type: Kind.PACKET_FIN });
          call.end();
        }
        if (type === Kind.PACKET_REQ) await sendContent(call, sent[id], id);
      }
    }
  } catch (error) {
    if (broken !== undefined) throw broken.error;
    throw error;
  }
  await listed;
}

async function sendContent(
  call: GrpcCall<typeof PacketSchema, typeof PacketSchema>,
  file: SentFile | undefined,
  id: number,
): Promise<void> {
  if (file === undefined)
    throw protocolFaults.TRANSFER_INVALID("a request for a file", `there is no number ${id}`);
  for await (const chunk of file.content()) {
    for (let at = 0; at < chunk.length; at += maxPieceBytes) {
      await call.send({ type: Kind.PACKET_DATA, id, data: chunk.subarray(at, at + maxPieceBytes) });
    }
  }
  await call.send({ type: Kind.PACKET_DATA, id });
}

/** As fsutil has it. */
const maxPieceBytes = 32 << 10;
