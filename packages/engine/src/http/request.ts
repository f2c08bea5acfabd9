import { type ApiVersion, compareApiVersions } from "@hawser/api";
import { Fault } from "@hawser/base";
import type { PeerCredentials } from "@hawser/linux";
import { httpFaults } from "./faults.ts";
import type { Query } from "./query.ts";
import type { RequestBody } from "./request-body.ts";
import { type Decoder, describe } from "./wire/codec.ts";

export interface ApiRequestParts {
  readonly method: string;
  /** Decoded, without version prefix. */
  readonly path: string;
  /** The parts of the path that the route names. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly apiVersion: ApiVersion;
  /** Who connected, told by the kernel when it happened. Absent: not a unix socket. */
  readonly peer: PeerCredentials | undefined;
  /** Fires when the client goes away or the engine stops. */
  readonly signal: AbortSignal;
  readonly body: RequestBody;
}

/** One request, as routes see it. */
export class ApiRequest {
  readonly #parts: ApiRequestParts;

  constructor(parts: ApiRequestParts) {
    this.#parts = parts;
  }

  get method(): string {
    return this.#parts.method;
  }

  /** Decoded, without version prefix. */
  get path(): string {
    return this.#parts.path;
  }

  get query(): Query {
    return this.#parts.query;
  }

  get apiVersion(): ApiVersion {
    return this.#parts.apiVersion;
  }

  /** The headers whose names begin with `prefix`, which is in lower case. */
  headersOf(prefix: string): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#parts.headers].filter(([name]) => name.startsWith(prefix)));
  }

  /** Absent: not a unix socket. */
  get peer(): PeerCredentials | undefined {
    return this.#parts.peer;
  }

  /** Fires when the client goes away or the engine stops. */
  get signal(): AbortSignal {
    return this.#parts.signal;
  }

  /** Read once, in order, as it comes. */
  get body(): RequestBody {
    return this.#parts.body;
  }

  /** Whether the client speaks this version of the API or a newer one. */
  atLeast(version: ApiVersion): boolean {
    return compareApiVersions(this.apiVersion, version) >= 0;
  }

  /** A part of the path that the route names. */
  param(name: string): string {
    return this.#parts.params[name] ?? "";
  }

  /** Names in lower case. */
  headerMap(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#parts.headers);
  }

  /** @param name in lower case */
  header(name: string): string | undefined {
    return this.#parts.headers.get(name);
  }
}

/** JSON bodies are configuration; none that anyone writes comes near this. */
const maxJsonBytes = 8 << 20;

/**
 * Read and decode the JSON body, with moby's rules for its content type.
 *
 * @param options.type its type by Go's name, for what is said of mistakes
 * @param options.path how Go names the outermost type in front of a field; default: as the last part of `type`
 * @param options.optional what no body at all means, `"refused"` when it must be there; without it, as in moby, an object
 *   without fields
 * @throws {Fault} `invalid-argument`
 */
export async function readJsonBody<T>(
  request: ApiRequest,
  decode: Decoder<T>,
  options: { readonly type: string; readonly path?: string; readonly optional?: T | "refused" },
): Promise<T> {
  const type = request.header("content-type") ?? "";
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.length;
    if (size > maxJsonBytes) throw httpFaults.BODY_TOO_LARGE(maxJsonBytes);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8").trim();
  if (text === "") {
    if (size > 0 || options.optional === "refused") throw httpFaults.JSON_EMPTY();
    return options.optional ?? decode({}, "");
  }
  const { type: goType, path = goType.slice(goType.indexOf(".") + 1) } = options;
  if (type.split(";", 1)[0]?.trim().toLowerCase() !== "application/json") {
    throw httpFaults.CONTENT_TYPE_UNSUPPORTED(type);
  }
  const value = parseJson(text);
  try {
    if (typeof value !== "object" || Array.isArray(value))
      throw httpFaults.JSON_ROOT_TYPE(describe(value), goType);
    return decode(value, path);
  } catch (error) {
    if (!Fault.is(error) || !error.code.startsWith("JSON_")) throw error;
    throw httpFaults.JSON_INVALID(error.message);
  }
}

/** @throws {Fault} `invalid-argument`, in Go's words where it is about the text's end */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const [, position] = /at position (\d+)/.exec(message) ?? [];
    if (/after JSON/.test(message)) throw httpFaults.JSON_BEHIND().because(error);
    const isEnd = position === undefined ? /end of JSON/.test(message) : Number(position) >= text.length;
    throw httpFaults.JSON_INVALID(isEnd ? "unexpected EOF" : message).because(error);
  }
}
