import { Duplex } from "node:stream";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { BytesMessage, BytesMessageSchema } from "./generated/control_pb.ts";
import type { BytesMessageSchema as AgentBytesSchema } from "./generated/ssh-forward_pb.ts";
import type { GrpcCall } from "./grpc-call.ts";

/**
 * A stream of bytes that travels in messages of a call, as a socket.
 *
 * @returns `outgoing`: what is written to the socket, to be sent
 */
export function messageDuplex(
  incoming: AsyncIterable<BytesMessage>,
  signal: AbortSignal,
): {
  readonly socket: Duplex;
  readonly outgoing: AsyncIterable<MessageInitShape<typeof BytesMessageSchema>>;
} {
  const out = new TransformStream<Uint8Array, Uint8Array>();
  const writer = out.writable.getWriter();
  const source = incoming[Symbol.asyncIterator]();
  const socket = new Duplex({
    read() {
      source.next().then(
        ({ value, done }) => this.push(done === true ? null : Buffer.from(value.data)),
        (error: unknown) => this.destroy(error instanceof Error ? error : new Error(String(error))),
      );
    },
    write(chunk: Buffer, _encoding, done) {
      writer.write(new Uint8Array(chunk)).then(() => done(), done);
    },
    final(done) {
      writer.close().then(() => done(), done);
    },
    destroy(error, done) {
      writer.close().catch(() => {}); // it may be closed
      done(error);
    },
  });
  signal.addEventListener("abort", () => socket.destroy(), { once: true });
  return { socket, outgoing: toMessages(out.readable) };
}

/** The same for a call that this side has made. */
export function callDuplex(call: GrpcCall<typeof AgentBytesSchema, typeof AgentBytesSchema>): Duplex {
  const batches = call.batches();
  return new Duplex({
    read() {
      batches.next().then(
        ({ value, done }) => this.push(done === true ? null : Buffer.concat(value.map(({ data }) => data))),
        (error: unknown) => this.destroy(error instanceof Error ? error : new Error(String(error))),
      );
    },
    write(data: Buffer, _encoding, done) {
      call.send({ data }).then(() => done(), done);
    },
    final(done) {
      call.end();
      done();
    },
    destroy(error, done) {
      call[Symbol.dispose]();
      done(error);
    },
  });
}

async function* toMessages(bytes: AsyncIterable<Uint8Array>) {
  for await (const data of bytes) yield { data };
}
