import type { ClientHttp2Session } from "node:http2";
import type { Duplex } from "node:stream";
import { Fault } from "@hawser/base";
import { protocolFaults } from "./faults.ts";
import { GetSecretRequestSchema, GetSecretResponseSchema } from "./generated/secrets_pb.ts";
import { CredentialsRequestSchema, CredentialsResponseSchema } from "./generated/session_pb.ts";
import {
  BytesMessageSchema as AgentBytesSchema,
  CheckAgentRequestSchema,
  CheckAgentResponseSchema,
} from "./generated/ssh-forward_pb.ts";
import { BytesMessageSchema as UploadBytesSchema } from "./generated/upload_pb.ts";
import { callOnce, GrpcCall } from "./grpc-call.ts";
import { callDuplex } from "./message-duplex.ts";
import { SessionContent } from "./session-content.ts";

/** What a client says of its session when it opens it. */
export interface SessionTraits {
  readonly id: string;
  /** Names a place: sessions of the same one may use what was sent before. */
  readonly sharedKey: string;
  /** `/package.Service/Method` of what it serves. */
  readonly methods: readonly string[];
}

/** A client's end of a build: it serves its files, secrets and credentials for as long as the build takes. */
export class ClientSession {
  readonly id: string;
  readonly sharedKey: string;
  readonly http2: ClientHttp2Session;
  readonly #methods: ReadonlySet<string>;

  constructor(http2: ClientHttp2Session, { id, sharedKey, methods }: SessionTraits) {
    this.http2 = http2;
    this.id = id;
    this.sharedKey = sharedKey;
    this.#methods = new Set(methods.map((method) => method.toLowerCase()));
  }

  /** Whether the client serves it. @param method `/package.Service/Method` */
  serves(method: string): boolean {
    return this.#methods.has(method.toLowerCase());
  }

  /** A folder of blobs that the client lends. @param store its name: `local:<folder>`, `export` */
  content(store: string): SessionContent {
    return new SessionContent(this, store);
  }

  /** A secret; `undefined`: the client has none of that name. @throws {Fault} `unavailable` */
  async secret(id: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const path = "/moby.buildkit.secrets.v1.Secrets/GetSecret";
    if (!this.serves(path)) return undefined;
    const schemas = { input: GetSecretRequestSchema, output: GetSecretResponseSchema };
    try {
      return (await callOnce(this.http2, { path, ...schemas, message: { id }, signal })).data;
    } catch (error) {
      if (Fault.is(error, "not-found")) return undefined;
      throw error;
    }
  }

  /**
   * A connection to an ssh agent of the client's; `undefined`: it lends none of that name.
   *
   * @throws {Fault} `unavailable`
   */
  async agent(id: string, signal: AbortSignal): Promise<Duplex | undefined> {
    const check = "/moby.sshforward.v1.SSH/CheckAgent";
    if (!this.serves(check)) return undefined;
    try {
      const schemas = { input: CheckAgentRequestSchema, output: CheckAgentResponseSchema };
      await callOnce(this.http2, { path: check, ...schemas, message: { id }, signal });
    } catch (error) {
      if (Fault.is(error, "unavailable") && !signal.aborted) return undefined;
      throw error;
    }
    const call = new GrpcCall(this.http2, {
      path: "/moby.sshforward.v1.SSH/ForwardAgent",
      input: AgentBytesSchema,
      output: AgentBytesSchema,
      metadata: { "buildkit.ssh.id": id },
      signal,
    });
    return callDuplex(call);
  }

  /**
   * Bytes that the client has said it would send, an archive of files. @param path of the address that it named them by
   *
   * @throws {Fault} `not-found`, `unavailable`
   */
  async *upload(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const method = "/moby.upload.v1.Upload/Pull";
    if (!this.serves(method)) throw protocolFaults.SESSION_LACKS(`file ${path}`);
    using call = new GrpcCall(this.http2, {
      path: method,
      input: UploadBytesSchema,
      output: UploadBytesSchema,
      metadata: { urlpath: path },
      signal,
    });
    call.end();
    for await (const messages of call.batches()) for (const { data } of messages) yield data;
  }

  /** What the client logs in to a registry with; `undefined`: it does not. @throws {Fault} `unavailable` */
  async credentials(
    host: string,
    signal: AbortSignal,
  ): Promise<{ readonly username: string; readonly secret: string } | undefined> {
    const path = "/moby.filesync.v1.Auth/Credentials";
    if (!this.serves(path)) return undefined;
    const schemas = { input: CredentialsRequestSchema, output: CredentialsResponseSchema };
    const { username, secret } = await callOnce(this.http2, { path, ...schemas, message: { host }, signal });
    return secret === "" ? undefined : { username, secret };
  }
}
