/**
 * One request of the list. `{name}` in the request, the headers and the body stands for a value kept from an earlier answer,
 * `{now}` for the time in seconds since 1970.
 */
export interface Call {
  /** `POST /v1.51/containers/create?name=a`, as sent; the query is not encoded any further. */
  readonly request: string;
  /** What tells it from others with the same request. */
  readonly note?: string;
  /** Text and bytes go as they are, anything else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** The whole request, byte by byte, in place of all of the above. */
  readonly raw?: string;
  /** Sent when the stream begins; then our half is closed. */
  readonly input?: string;
  /** The answer does not end by itself: it is whole when this text has come. */
  readonly until?: string;
  /** So often; default: once. */
  readonly times?: number;
  /** Name → path in the answer's JSON (`Id`, `Warnings.0`), or `=text`. */
  readonly keep?: Readonly<Record<string, string>>;
  /** Of the answer's values only the types are compared: they are facts of the host. */
  readonly shape?: boolean;
  /** Not compared at all: it only prepares. */
  readonly silent?: boolean;
}

/** Calls in order; whatever they made is gone before the next scenario. */
export interface Scenario {
  readonly name: string;
  readonly calls: readonly Call[];
}

export function call(request: string, body?: unknown, more: Omit<Call, "request" | "body"> = {}): Call {
  return { request, ...(body !== undefined && { body }), ...more };
}

/** The same call in several versions of the API. `/` in the request is where the version goes. */
export function inVersions(versions: readonly string[], request: string, more: Partial<Call> = {}): Call[] {
  return versions.map((version) => ({ ...more, request: request.replace("/", `/v${version}/`) }));
}

/** Versions between which answers differ. */
export const someVersions = [
  "1.24",
  "1.30",
  "1.40",
  "1.41",
  "1.42",
  "1.43",
  "1.44",
  "1.45",
  "1.48",
  "1.51",
] as const;

/** `value` as a query's part. */
export function query(value: unknown): string {
  return encodeURIComponent(typeof value === "string" ? value : JSON.stringify(value));
}

/** What a call is called in records and differences. */
export function nameOf(scenario: Scenario, { request, note }: Call): string {
  return `${scenario.name}: ${request}${note === undefined ? "" : ` (${note})`}`;
}
