import http from "node:http";
import https from "node:https";
import { Readable } from "node:stream";
import { createSecureContext, getCACertificates } from "node:tls";
import { errnoOf, Fault } from "@hawser/base";
import { chooseProxy } from "./choose-proxy.ts";
import { registryFaults } from "./faults.ts";

/** What a connection's encryption is checked against, and what proves who we are. */
export interface TlsSettings {
  /** Authorities beside those that Node knows, as PEM. */
  readonly authorities: readonly string[];
  /** Certificate and key of ours, as PEM. */
  readonly clients: readonly { readonly certificate: string; readonly key: string }[];
  /** Take any certificate. */
  readonly insecure: boolean;
}

export const plainTls: TlsSettings = { authorities: [], clients: [], insecure: false };

/** A body to send. */
export interface RequestContent {
  /** Absent: sent in chunks of whatever length. */
  readonly sizeBytes?: number;
  open(): AsyncIterable<Uint8Array>;
}

export interface TransportRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly content?: RequestContent;
  readonly tls?: TlsSettings;
  readonly signal?: AbortSignal;
}

/** An answer whose body is still to come. It holds its connection until the body was read or destroyed. */
export interface TransportResponse {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Readable;
  /** How long nothing may come. */
  readonly idleMs: number;
}

export interface TransportOptions {
  /** `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` and their small forms are heeded. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly userAgent: string;
  /** How long nothing may come or go. Default: a minute. */
  readonly idleMs?: number;
}

/** Connections at once to one host: layers side by side, no flood. */
const maxSockets = 16;
const keepAliveMs = 30_000;

/** HTTP to registries: connections that are kept, proxies, TLS; one request, one answer, no policy. */
export class Transport implements Disposable {
  readonly #options: TransportOptions;
  readonly #idleMs: number;
  /** By what a connection depends on beside its host. */
  readonly #agents = new Map<string, http.Agent>();

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#idleMs = options.idleMs ?? 60_000;
  }

  /**
   * The answer's head; any status is an answer.
   *
   * @throws {Fault} `unavailable` when there is none, `deadline-exceeded` when nothing comes; the reason of `signal`.
   * The same go through the body.
   */
  async send(request: TransportRequest): Promise<TransportResponse> {
    const { method, url, content, signal } = request;
    signal?.throwIfAborted();
    const what = describeRequest(request);
    const sizeBytes = content === undefined && method !== "GET" && method !== "HEAD" ? 0 : content?.sizeBytes;
    const sent = (url.protocol === "https:" ? https : http).request(url, {
      method,
      agent: this.#agentFor(url, request.tls ?? plainTls),
      headers: {
        "user-agent": this.#options.userAgent,
        "accept-encoding": "identity",
        ...request.headers,
        ...(sizeBytes !== undefined && { "content-length": String(sizeBytes) }),
      },
      timeout: this.#idleMs,
      ...(signal && { signal }),
    });
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    sent.on("response", resolve);
    let answered: http.IncomingMessage | undefined;
    sent.on("timeout", () => {
      const fault = registryFaults.STALLED(what, this.#idleMs);
      // Whoever reads the body would be told of a reset, else.
      answered?.destroy(fault);
      sent.destroy(fault);
    });
    sent.on("error", (error) => reject(signal?.aborted ? signal.reason : faultOfTransport(what, error)));
    if (content === undefined) sent.end();
    else {
      const source = Readable.from(content.open(), { objectMode: false, highWaterMark: 1 << 20 });
      source.on("error", (error) => sent.destroy(error));
      sent.on("close", () => source.destroy());
      // A refusal may come before all was sent: then nobody wants the rest, and the connection ends with the answer.
      sent.on("response", (response) => {
        if ((response.statusCode ?? 0) < 300 || sent.writableEnded) return;
        source.unpipe(sent);
        source.destroy();
        response.once("end", () => sent.destroy());
      });
      source.pipe(sent);
    }
    const response = await promise;
    answered = response;
    // After the answer's head, the request's failure is the body's, which tells it to whoever reads.
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: response,
      idleMs: this.#idleMs,
    };
  }

  [Symbol.dispose](): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  #agentFor(url: URL, tls: TlsSettings): http.Agent {
    const isSecure = url.protocol === "https:";
    const proxy = chooseProxy(url, this.#options.environment);
    const key = JSON.stringify([isSecure, proxy, isSecure ? tls : null]);
    let agent = this.#agents.get(key);
    if (agent === undefined) {
      const options = {
        keepAlive: true,
        maxSockets,
        timeout: keepAliveMs,
        ...(proxy !== undefined && { proxyEnv: { [isSecure ? "HTTPS_PROXY" : "HTTP_PROXY"]: proxy } }),
      };
      agent = isSecure ? new https.Agent({ ...options, ...tlsOptions(tls) }) : new http.Agent(options);
      this.#agents.set(key, agent);
    }
    return agent;
  }
}

/** Authorities are read once for all connections, not for each. */
function tlsOptions({ authorities, clients, insecure }: TlsSettings): https.AgentOptions {
  const known = insecure ? [] : knownAuthorities();
  const secureContext = createSecureContext({
    ...(!insecure && { ca: [...known, ...authorities] }),
    ...(clients.length > 0 && {
      cert: clients.map(({ certificate }) => certificate),
      key: clients.map(({ key }) => key),
    }),
  });
  return { secureContext, rejectUnauthorized: !insecure };
}

/** The machine's, as every program of it trusts them; Node's own where it has none. */
function knownAuthorities(): readonly string[] {
  const system = getCACertificates("system");
  return system.length > 0 ? system : getCACertificates("default");
}

/** `Get "https://host/v2/"`, as Docker names a request in what it says of it. Secrets of the query are left out. */
export function describeRequest({ method, url }: Pick<TransportRequest, "method" | "url">): string {
  const verb = method.charAt(0) + method.slice(1).toLowerCase();
  return `${verb} "${url.protocol}//${url.host}${url.pathname}"`;
}

/** The chunks of an answer's body. @throws {Fault} `unavailable` when it breaks off; the reason of `signal`. */
export async function* readBody(
  response: TransportResponse,
  { what, signal }: { readonly what: string; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* response.body as AsyncIterable<Buffer>;
  } catch (error) {
    signal?.throwIfAborted();
    throw faultOfTransport(what, error);
  }
}

/** A small body as a whole. @throws {Fault} `resource-exhausted` when it is larger than `maxBytes`; as `readBody` */
export async function readSmallBody(
  response: TransportResponse,
  options: { readonly what: string; readonly maxBytes: number; readonly signal?: AbortSignal | undefined },
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of readBody(response, options)) {
    sizeBytes += chunk.length;
    if (sizeBytes > options.maxBytes) throw registryFaults.ANSWER_TOO_LARGE(options.what, options.maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Done with an answer: what is short is read, so that its connection can be used again, what is long is cut off. */
export async function discardBody(response: TransportResponse): Promise<void> {
  try {
    await readSmallBody(response, { what: "", maxBytes: 64 << 10 });
  } catch {
    response.body.destroy();
  }
}

/** Whether the same request may do better a moment later. */
export function isTransient(error: unknown): boolean {
  if (!Fault.is(error)) return false;
  if (error.code === "STALLED" || error.code === "ENDED_EARLY") return true;
  return error.code === "UNREACHABLE" && transientCodes.has(errnoOf(error.cause) ?? "");
}

/** Whether nobody who speaks the protocol that was tried is there. */
export function isWrongProtocol(error: unknown): boolean {
  if (!Fault.is(error) || error.code !== "UNREACHABLE") return false;
  const code = errnoOf(error.cause) ?? "";
  return code === "EPROTO" || code === "ECONNREFUSED" || code.startsWith("ERR_SSL");
}

const transientCodes = new Set(["ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT", "EAI_AGAIN"]);

const unknownAuthority = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
]);

/** What went wrong with a connection, in Go's words where people search for them. */
export function faultOfTransport(what: string, error: unknown): Fault {
  if (Fault.is(error)) return error;
  return registryFaults.UNREACHABLE(what, whyUnreachable(error)).because(error);
}

function whyUnreachable(error: unknown): string {
  const code = errnoOf(error) ?? "";
  const at = addressOf(error);
  if (unknownAuthority.has(code)) return "x509: certificate signed by unknown authority";
  switch (code) {
    case "ECONNREFUSED":
      return `dial tcp${at}: connect: connection refused`;
    case "ENOTFOUND":
      return `dial tcp: lookup${at}: no such host`;
    case "EAI_AGAIN":
      return `dial tcp: lookup${at}: Temporary failure in name resolution`;
    case "EHOSTUNREACH":
      return `dial tcp${at}: connect: no route to host`;
    case "ENETUNREACH":
      return `dial tcp${at}: connect: network is unreachable`;
    case "ETIMEDOUT":
      return `dial tcp${at}: i/o timeout`;
    case "EPROTO":
    case "ERR_SSL_WRONG_VERSION_NUMBER":
    case "ERR_SSL_PACKET_LENGTH_TOO_LONG":
      return "http: server gave HTTP response to HTTPS client";
    case "CERT_HAS_EXPIRED":
      return "x509: certificate has expired or is not yet valid";
    case "ECONNRESET":
    case "EPIPE":
      return "connection reset by peer";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

function addressOf(error: unknown): string {
  if (error instanceof AggregateError) return addressOf(error.errors[0]);
  if (typeof error !== "object" || error === null) return "";
  if ("address" in error && "port" in error) return ` ${String(error.address)}:${String(error.port)}`;
  return "hostname" in error ? ` ${String(error.hostname)}` : "";
}
