import type { Socket } from "node:net";
import type { Fault } from "@hawser/base";
import {
  type ApiVersion,
  compareApiVersions,
  newestApiVersion,
  oldestApiVersion,
  parseApiVersion,
} from "../version.ts";
import { clientFaults } from "./client-faults.ts";
import { Connection, type ConnectionReply, type ConnectionRequest } from "./connection.ts";
import type { Endpoint } from "./endpoint.ts";
import { faultFromResponse } from "./response-fault.ts";
import type { ResponseHead } from "./response-parser.ts";

export type QueryValue = string | number | boolean | readonly string[] | undefined;

export interface EngineRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  /** Path without version, its parts already encoded (`/containers/web/json`). */
  readonly path: string;
  /** `undefined` is left out, `true` is `1`, `false` is `0`, a list repeats the name. */
  readonly query?: Readonly<Record<string, QueryValue>>;
  /** Anything but bytes is sent as JSON. */
  readonly json?: unknown;
  readonly bytes?: AsyncIterable<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface EngineResponse {
  readonly head: ResponseHead;
  /** Read to its end, or leave the iteration: both free the connection. */
  readonly body: AsyncIterable<Buffer>;
}

/** A connection that became the two directions of a container's streams. The socket is paused. */
export interface EngineStream {
  readonly socket: Socket;
  /** Content type that the engine told; `undefined` from engines before API 1.42. */
  readonly contentType: string | undefined;
}

/** What `HEAD /_ping` told. */
export interface EnginePing {
  /** Newest version that the engine speaks. */
  readonly apiVersion: ApiVersion;
  readonly osType: string;
  readonly experimental: boolean;
}

/** No JSON reply is longer. */
const maxJsonBytes = 512 << 20;

/**
 * A client of the Engine API. Requests use one connection after the other and keep an idle one; requests that run at the
 * same time each have their own. `ping` first agrees on a version, as Docker's clients do; without it requests
 * carry none, which means the engine's newest.
 */
export class EngineClient {
  readonly endpoint: Endpoint;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #idle: Connection[] = [];
  readonly #open = new Set<Connection>();
  #destroyed = false;
  #version: ApiVersion | undefined;

  constructor(options: {
    readonly endpoint: Endpoint;
    /** Sent with every request. */
    readonly headers?: Readonly<Record<string, string>>;
    /** Speak this version whatever the engine says. */
    readonly version?: ApiVersion;
  }) {
    this.endpoint = options.endpoint;
    this.#headers = options.headers ?? {};
    this.#version = options.version;
  }

  /** The version in use, once agreed. */
  get version(): ApiVersion | undefined {
    return this.#version;
  }

  /**
   * Ask who is there and agree on the newest version that both speak.
   *
   * @throws {Fault} `unavailable` when nobody answers.
   */
  async ping(options: { readonly signal?: AbortSignal } = {}): Promise<EnginePing> {
    const { head, body } = await this.#exchange({ method: "HEAD", path: "/_ping", ...options }, "");
    await drain(body);
    const told = head.headers.get("api-version");
    const apiVersion = told === undefined ? oldestApiVersion : parseApiVersion(told);
    this.#version ??= compareApiVersions(apiVersion, newestApiVersion) < 0 ? apiVersion : newestApiVersion;
    return {
      apiVersion,
      osType: head.headers.get("ostype") ?? "",
      experimental: head.headers.get("docker-experimental") === "true",
    };
  }

  /**
   * Send a request.
   *
   * @throws {Fault} the engine's refusal (status 304 or from 400) with its words; `unavailable` when it is not there.
   */
  async send(request: EngineRequest): Promise<EngineResponse> {
    const response = await this.#exchange(request, this.#prefix());
    if (response.head.status < 400 && response.head.status !== 304) return response;
    throw await this.#refusal(response);
  }

  /** The JSON of a reply, as text. @throws {Fault} as `send`. */
  async text(request: EngineRequest): Promise<string> {
    const { body } = await this.send(request);
    return (await collect(body, maxJsonBytes)).toString();
  }

  /**
   * The JSON of a reply, taken to be a `T`.
   *
   * @throws {Fault} as `send`; `data-loss` for what is not JSON.
   */
  async json<T>(request: EngineRequest): Promise<T> {
    const text = await this.text(request);
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      throw clientFaults.BODY_INVALID("not JSON").because(error);
    }
  }

  /** Send a request whose reply says nothing but that it is done. @throws {Fault} as `send`. */
  async command(request: EngineRequest): Promise<void> {
    const { body } = await this.send(request);
    await drain(body);
  }

  /**
   * Send a request that turns its connection into a stream (attach, exec; of another protocol with a header `Upgrade`). An abort
   * closes the stream.
   *
   * @throws {Fault} as `send`; `unavailable` when the engine answers without upgrading.
   */
  async upgrade(request: EngineRequest): Promise<EngineStream> {
    const { signal, ...rest } = request;
    const headers = { Upgrade: "tcp", ...request.headers, Connection: "Upgrade" };
    const reply = await this.#reply({ ...rest, headers, ...(signal && { signal }) }, this.#prefix());
    if (reply.kind === "response") {
      if (reply.head.status >= 400) throw await this.#refusal(reply);
      for await (const _ of reply.body) break;
      throw clientFaults.NOT_UPGRADED(reply.head.status);
    }
    const { socket } = reply;
    if (signal !== undefined) {
      const onAbort = () => socket.destroy();
      signal.addEventListener("abort", onAbort, { once: true });
      socket.once("close", () => signal.removeEventListener("abort", onAbort));
      if (signal.aborted) socket.destroy();
    }
    return { socket, contentType: reply.head.headers.get("content-type") };
  }

  /** A connection to the engine on which nothing was said yet; the caller's to close. @throws {Fault} `unavailable` */
  async openSocket(options: { readonly signal?: AbortSignal } = {}): Promise<Socket> {
    return (await Connection.open(this.endpoint, options)).release();
  }

  /** Close all connections, also those that became streams; requests fail from now on. */
  destroy(): void {
    this.#destroyed = true;
    for (const connection of this.#open) connection.close();
  }

  /** Close idle connections. */
  close(): void {
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  #prefix(): string {
    return this.#version === undefined ? "" : `/v${this.#version}`;
  }

  async #exchange(request: EngineRequest, prefix: string): Promise<EngineResponse> {
    const reply = await this.#reply(request, prefix);
    if (reply.kind === "response") return reply;
    reply.socket.destroy();
    throw clientFaults.RESPONSE_INVALID("an upgrade that was not asked for");
  }

  async #reply(request: EngineRequest, prefix: string): Promise<ConnectionReply> {
    const message = this.#message(request, prefix);
    for (;;) {
      const reused = this.#idle.pop();
      const connection = reused ?? (await this.#connect(request.signal));
      if (!connection.idle) continue;
      connection.hold(true);
      try {
        return await connection.exchange(message, {
          ...(request.signal && { signal: request.signal }),
          onIdle: () => {
            connection.hold(false);
            this.#idle.push(connection);
          },
        });
      } catch (error) {
        // an idle connection that the engine closed in the same moment: it never saw the request
        const stale = reused !== undefined && !connection.answered && request.bytes === undefined;
        if (!stale || request.signal?.aborted === true) throw error;
      }
    }
  }

  async #connect(signal: AbortSignal | undefined): Promise<Connection> {
    const connection = await Connection.open(this.endpoint, signal ? { signal } : {});
    this.#open.add(connection);
    connection.whenClosed(() => this.#open.delete(connection));
    if (this.#destroyed) {
      connection.close();
      throw clientFaults.CONNECTION_LOST(this.endpoint.text, "was closed by its user");
    }
    return connection;
  }

  #message(request: EngineRequest, prefix: string): ConnectionRequest {
    const base = this.endpoint.kind === "tcp" ? this.endpoint.basePath : "";
    const host = this.endpoint.kind === "tcp" ? `${this.endpoint.host}:${this.endpoint.port}` : "localhost";
    const headers = new Map<string, string>([["Host", host]]);
    for (const [name, value] of Object.entries(this.#headers)) headers.set(name, value);
    for (const [name, value] of Object.entries(request.headers ?? {})) headers.set(name, value);
    const target = `${base}${prefix}${request.path}${formatQuery(request.query ?? {})}`;
    if (request.bytes !== undefined) {
      if (!headers.has("Content-Type")) headers.set("Content-Type", "application/x-tar");
      return { method: request.method, target, headers, body: request.bytes };
    }
    if (request.json === undefined) return { method: request.method, target, headers };
    headers.set("Content-Type", "application/json");
    return { method: request.method, target, headers, body: JSON.stringify(request.json) };
  }

  async #refusal(response: EngineResponse): Promise<Fault> {
    const { status, reason } = response.head;
    const body = (await collect(response.body, maxRefusalBytes)).toString();
    return faultFromResponse(status, { reason, body });
  }
}

const maxRefusalBytes = 1 << 20;

function formatQuery(query: Readonly<Record<string, QueryValue>>): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const item of Array.isArray(value) ? value : [value]) {
      const text = item === true ? "1" : item === false ? "0" : String(item);
      parts.push(`${name}=${encodeURIComponent(text)}`);
    }
  }
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

async function collect(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw clientFaults.BODY_INVALID(`more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

async function drain(body: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of body);
}
