import { randomBytes } from "node:crypto";
import { Fault } from "@hawser/base";
import type { Digest } from "@hawser/oci";
import type { ClientSession } from "./client-session.ts";
import { protocolFaults } from "./faults.ts";
import {
  InfoRequestSchema,
  InfoResponseSchema,
  ReadContentRequestSchema,
  ReadContentResponseSchema,
  WriteAction,
  WriteContentRequestSchema,
  WriteContentResponseSchema,
} from "./generated/content_pb.ts";
import { callOnce, GrpcCall } from "./grpc-call.ts";

const service = "/containerd.services.content.v1.Content";

/** A folder of blobs of the client's, which it lends for a build (containerd's service `Content`, chosen by a name). */
export class SessionContent {
  readonly #session: ClientSession;
  readonly #metadata: { readonly "buildkit-attachable-store-id": string };

  /** @param store its name: `local:<folder>`, `export` */
  constructor(session: ClientSession, store: string) {
    this.#session = session;
    this.#metadata = { "buildkit-attachable-store-id": store };
  }

  /** How many bytes a blob has; `undefined`: it is not there. @throws {Fault} `unavailable` */
  async size(digest: Digest, signal: AbortSignal): Promise<number | undefined> {
    const schemas = { input: InfoRequestSchema, output: InfoResponseSchema };
    const path = `${service}/Info`;
    const metadata = this.#metadata;
    try {
      const { info } = await callOnce(this.#http2, {
        path,
        ...schemas,
        metadata,
        message: { digest },
        signal,
      });
      return Number(info?.size ?? 0n);
    } catch (error) {
      if (Fault.is(error, "not-found")) return undefined;
      throw error;
    }
  }

  /** The bytes of a blob. Their digest is the caller's to check. @throws {Fault} `not-found`, `unavailable` */
  async *read(digest: Digest, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    using call = new GrpcCall(this.#http2, {
      path: `${service}/Read`,
      input: ReadContentRequestSchema,
      output: ReadContentResponseSchema,
      metadata: this.#metadata,
      signal,
    });
    await call.send({ digest });
    call.end();
    for await (const messages of call.batches()) for (const { data } of messages) yield data;
  }

  /** Give a blob, unless it is there. @throws {Fault} `unavailable`; what the client refuses */
  async write(
    blob: { readonly digest: Digest; readonly sizeBytes: number; open(): AsyncIterable<Uint8Array> },
    signal: AbortSignal,
  ): Promise<void> {
    const { digest: expected, sizeBytes } = blob;
    if ((await this.size(expected, signal)) !== undefined) return;
    using call = new GrpcCall(this.#http2, {
      path: `${service}/Write`,
      input: WriteContentRequestSchema,
      output: WriteContentResponseSchema,
      metadata: this.#metadata,
      signal,
    });
    const total = BigInt(sizeBytes);
    const sent = (async () => {
      const ref = `hawser-${randomBytes(12).toString("hex")}`;
      await call.send({ action: WriteAction.STAT, ref, total, expected });
      let offset = 0n;
      for await (const chunk of blob.open()) {
        for (let at = 0; at < chunk.length; at += maxPieceBytes) {
          const data = chunk.subarray(at, at + maxPieceBytes);
          await call.send({ action: WriteAction.WRITE, ref, total, expected, offset, data });
          offset += BigInt(data.length);
        }
      }
      await call.send({ action: WriteAction.COMMIT, ref, total, expected, offset });
      call.end();
    })();
    sent.catch(() => call[Symbol.dispose]()); // told below
    let isCommitted = false;
    try {
      for await (const messages of call.batches()) {
        for (const { action } of messages) isCommitted ||= action === WriteAction.COMMIT;
      }
    } catch (error) {
      await sent;
      if (!Fault.is(error, "conflict")) throw error; // somebody else was faster
      return;
    }
    await sent;
    if (!isCommitted) throw protocolFaults.CALL_FAILED(service, `${expected} was not taken`);
  }

  get #http2() {
    if (!this.#session.serves(`${service}/Info`)) throw protocolFaults.SESSION_LACKS("folder of blobs");
    return this.#session.http2;
  }
}

/** What clients take in one message. */
const maxPieceBytes = 1 << 20;
