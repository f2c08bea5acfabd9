import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { faultOfStatus, protocolFaults } from "./faults.ts";

/** As gRPC's own limit of what a client may be sent, and room for a header. */
const maxMessageBytes = 16 << 20;

/**
 * One call of gRPC (its HTTP/2 mapping, "PROTOCOL-HTTP2") as the client. Written here because a client's session is a connection
 * that is at hand, metadata has several values of a name, and folders come as tens of thousands of messages.
 */
export class GrpcCall<In extends DescMessage, Out extends DescMessage> implements Disposable {
  readonly #stream: ClientHttp2Stream;
  readonly #schemas: { readonly input: In; readonly output: Out };
  readonly #path: string;
  #head: IncomingHttpHeaders = {};
  #trailers: IncomingHttpHeaders = {};

  constructor(
    session: ClientHttp2Session,
    call: {
      /** `/package.Service/Method` */
      readonly path: string;
      readonly input: In;
      readonly output: Out;
      readonly metadata?: OutgoingHttpHeaders;
      readonly signal: AbortSignal;
    },
  ) {
    const { path, input, output, metadata, signal } = call;
    this.#schemas = { input, output };
    this.#path = path;
    const headers = {
      ...metadata,
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    };
    this.#stream = session.request(headers, { signal, endStream: false });
    this.#stream.on("response", (head) => {
      this.#head = head;
    });
    this.#stream.on("trailers", (trailers) => {
      this.#trailers = trailers;
    });
    this.#stream.on("error", () => {}); // whoever reads is told
  }

  /** Settles when the other side keeps up. What is sent to one that has ended is lost. */
  async send(message: MessageInitShape<In>): Promise<void> {
    const body = toBinary(this.#schemas.input, create(this.#schemas.input, message));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(body.length, 1);
    if (!this.#stream.writable || this.#stream.write(Buffer.concat([head, body]))) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stream.once("drain", resolve).once("close", resolve);
    await promise;
    this.#stream.off("drain", resolve).off("close", resolve);
  }

  /** Nothing more is sent. */
  end(): void {
    this.#stream.end();
  }

  /**
   * What comes, as many as came together.
   *
   * @throws {Fault} what the other side says has failed; `unavailable` when it is gone
   */
  async *batches(): AsyncGenerator<readonly MessageShape<Out>[], void, undefined> {
    let rest: Buffer = Buffer.alloc(0);
    try {
      for await (const chunk of this.#stream) {
        const bytes = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
        const messages: MessageShape<Out>[] = [];
        let at = 0;
        for (; bytes.length - at >= 5; ) {
          const size = bytes.readUInt32BE(at + 1);
          if (size > maxMessageBytes) throw protocolFaults.MESSAGE_TOO_LARGE(maxMessageBytes);
          if (bytes[at] !== 0) throw protocolFaults.MESSAGE_COMPRESSED();
          if (bytes.length - at - 5 < size) break;
          messages.push(fromBinary(this.#schemas.output, bytes.subarray(at + 5, at + 5 + size)));
          at += 5 + size;
        }
        rest = bytes.subarray(at);
        if (messages.length > 0) yield messages;
      }
    } catch (error) {
      if (this.#status() === undefined) throw this.#broken(error);
    }
    const status = this.#status();
    if (status === undefined) throw this.#broken(undefined);
    if (status.code !== 0) throw faultOfStatus(status.code, this.#path, status.words);
  }

  /** Ends the call, wherever it is. */
  [Symbol.dispose](): void {
    if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  #status(): { readonly code: number; readonly words: string } | undefined {
    const from = "grpc-status" in this.#trailers ? this.#trailers : this.#head;
    const { "grpc-status": code, "grpc-message": words = "" } = from;
    if (code === undefined) return undefined;
    return { code: Number(code), words: decodeWords(String(words)) };
  }

  #broken(error: unknown): unknown {
    if (error instanceof Error && error.name === "AbortError") return error;
    return protocolFaults.SESSION_CLOSED().because(error);
  }
}

/** A call with one message there and one back. @throws {Fault} as `GrpcCall.batches` */
export async function callOnce<In extends DescMessage, Out extends DescMessage>(
  session: ClientHttp2Session,
  call: ConstructorParameters<typeof GrpcCall<In, Out>>[1] & { readonly message: MessageInitShape<In> },
): Promise<MessageShape<Out>> {
  using opened = new GrpcCall<In, Out>(session, call);
  await opened.send(call.message);
  opened.end();
  let answer: MessageShape<Out> | undefined;
  for await (const [first] of opened.batches()) answer ??= first;
  if (answer === undefined) throw protocolFaults.CALL_FAILED(call.path, "it answered nothing");
  return answer;
}

function decodeWords(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
