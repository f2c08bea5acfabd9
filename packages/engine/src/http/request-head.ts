import { httpFaults } from "./faults.ts";

/** How the end of a request's body is known. */
export type BodyFraming =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" };

/** Request line and header fields of one HTTP/1 request. */
export interface RequestHead {
  readonly method: string;
  /** As sent: path and query. */
  readonly target: string;
  readonly version: "1.0" | "1.1";
  /** Names in lower case; values of a repeated name joined by ", ". */
  readonly headers: ReadonlyMap<string, string>;
  readonly framing: BodyFraming;
  /** Whether the client means to send another request on this connection. */
  readonly keepAlive: boolean;
  readonly expectsContinue: boolean;
}

/** The first line of a client that speaks HTTP/2 without asking (RFC 9113, 3.4). */
export const http2Preface = "PRI * HTTP/2.0";

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const forbiddenInValue = /[\0-\x08\x0a-\x1f\x7f]/;
const maxFields = 256;
/** Fields of which two would be two requests. */
const singular = new Set(["content-length", "transfer-encoding", "host"]);

/**
 * Parse a request head: the bytes before the empty line, as Latin-1 text. Strict (RFC 9112) where two readers could
 * understand two things, since anything between client and engine would be the other reader: no folded lines, no space
 * before a colon, no bare line feed, one framing only.
 *
 * @throws {Fault} `invalid-argument`
 */
export function parseRequestHead(text: string): RequestHead {
  const [requestLine = "", ...lines] = text.split("\r\n");
  const [, method, target, version] = /^([^ ]+) ([^ ]+) HTTP\/(1\.[01])$/.exec(requestLine) ?? [];
  if (method === undefined || target === undefined || !token.test(method) || forbiddenInValue.test(target)) {
    throw httpFaults.REQUEST_MALFORMED("request line");
  }
  if (lines.length > maxFields) throw httpFaults.REQUEST_MALFORMED(`more than ${maxFields} header fields`);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
    if (!token.test(name) || forbiddenInValue.test(value)) throw httpFaults.REQUEST_MALFORMED("header field");
    const before = headers.get(name);
    if (before !== undefined && singular.has(name)) {
      throw httpFaults.REQUEST_MALFORMED(`repeated ${name}`);
    }
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  const is11 = version === "1.1";
  const origin = /^http:\/\/[^/?]*/i.exec(target)?.[0] ?? "";
  const connection = (headers.get("connection") ?? "").toLowerCase().split(/[ \t]*,[ \t]*/);
  return {
    method,
    target: target.slice(origin.length) || "/",
    version: is11 ? "1.1" : "1.0",
    headers,
    framing: parseFraming(headers, is11),
    keepAlive: is11 && !connection.includes("close"),
    expectsContinue: is11 && headers.get("expect")?.toLowerCase() === "100-continue",
  };
}

/** RFC 9112, 6.3, without its latitude: a length or chunks, never both, nothing but plain `chunked`. */
function parseFraming(headers: ReadonlyMap<string, string>, is11: boolean): BodyFraming {
  const length = headers.get("content-length");
  const encoding = headers.get("transfer-encoding");
  if (encoding !== undefined) {
    if (length !== undefined) throw httpFaults.REQUEST_MALFORMED("both content-length and transfer-encoding");
    if (!is11) throw httpFaults.REQUEST_MALFORMED("transfer-encoding in HTTP/1.0");
    if (encoding.toLowerCase() !== "chunked") {
      throw httpFaults.REQUEST_MALFORMED("transfer-encoding other than chunked");
    }
    return { kind: "chunked" };
  }
  if (length === undefined) return { kind: "none" };
  if (!/^\d{1,15}$/.test(length)) throw httpFaults.REQUEST_MALFORMED("content-length");
  const bytes = Number(length);
  return bytes === 0 ? { kind: "none" } : { kind: "length", bytes };
}
