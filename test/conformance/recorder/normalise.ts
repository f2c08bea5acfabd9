import { readFrames } from "../../e2e/kit-http.ts";
import type { Call } from "./call.ts";
import type { Sent } from "./send.ts";

/** An answer without what differs from one run to the next. */
export interface Recorded {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  /** JSON; several values of JSON, or a stream's frames, or an archive's entries, as an array; or text. */
  readonly body?: unknown;
  /** The answer did not end. */
  readonly open?: boolean;
}

export interface NormaliseOptions {
  /** Text → what stands for it, in the order of replacement. */
  readonly known: readonly (readonly [string, string])[];
}

/** Headers that a client can notice. */
const comparedHeaders = [
  "api-version",
  "builder-version",
  "cache-control",
  "connection",
  "content-type",
  "docker-experimental",
  "ostype",
  "pragma",
  "swarm",
  "upgrade",
  "x-docker-container-path-stat",
] as const;

export function normalise(call: Call, sent: Sent, options: NormaliseOptions): Recorded {
  const headers: Record<string, unknown> = {};
  for (const name of comparedHeaders) {
    const value = sent.headers.get(name);
    if (value === undefined || (name === "connection" && value.toLowerCase() !== "upgrade")) continue;
    headers[name] = name.endsWith("-stat") ? cleanValue(decodeStat(value), options) : value;
  }
  const body = readBody(sent);
  const clean = body === undefined ? undefined : cleanValue(body, options);
  return {
    status: sent.status,
    headers,
    ...(sent.open === true && { open: true }),
    ...(clean !== undefined && { body: call.shape === true && sent.status < 300 ? shapeOf(clean) : clean }),
  };
}

function readBody({ body, headers }: Sent): unknown {
  if (body.length === 0) return undefined;
  const type = headers.get("content-type") ?? "";
  if (type === "application/x-tar" || isTar(body)) return listArchive(body);
  if (isFramed(body)) return joinFrames(readFrames(body.toString("latin1")));
  const text = body.toString("utf8");
  return parseValues(text) ?? text;
}

/** One value of JSON, or several as an array; `undefined` when the text is something else. */
function parseValues(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    try {
      return text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown);
    } catch {
      return undefined;
    }
  }
}

function isFramed(body: Buffer): boolean {
  return body.length >= 8 && body.readUInt8(0) <= 2 && body.readUIntBE(1, 3) === 0;
}

/** What one stream said is one frame or several, as it comes. */
function joinFrames(frames: readonly [number, string][]): object {
  const said: Record<string, string> = {};
  for (const [stream, text] of frames) said[`stream ${stream}`] = `${said[`stream ${stream}`] ?? ""}${text}`;
  return said;
}

function isTar(body: Buffer): boolean {
  return body.length >= 512 && body.toString("latin1", 257, 262) === "ustar";
}

/** Entries as `type mode owner:group name -> target`, without the folders that hold a whole root file system. */
function listArchive(body: Buffer): string[] {
  const entries: string[] = [];
  const text = (start: number, length: number) =>
    body.toString("latin1", start, start + length).replace(/\0.*$/s, "");
  for (let at = 0; at + 512 <= body.length && body.readUInt8(at) !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12), 8) || 0;
    const type = text(at + 156, 1);
    const owner = `${Number.parseInt(text(at + 108, 8), 8)}:${Number.parseInt(text(at + 116, 8), 8)}`;
    const name = text(at, 100);
    if (type !== "x") entries.push(`${type} ${text(at + 100, 8)} ${owner} ${name} -> ${text(at + 157, 100)}`);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return entries.length > 100 ? [`${entries.length > 100 ? "many" : ""} entries`] : entries.sort();
}

function decodeStat(value: string): unknown {
  return JSON.parse(Buffer.from(value, "base64").toString("utf8"));
}

/** Numbers under these names are another at every run. */
const volatileNumbers =
  /^(Created|time|timeNano|Pid|Size|VirtualSize|SharedSize|SizeRw|SizeRootFs|SpaceReclaimed|LayersSize|size)$/;

/** Where each engine keeps what is its own. */
const places = /^(LowerDir|UpperDir|WorkDir|ResolvConfPath|HostnamePath|HostsPath|LogPath|SandboxKey)$/;

function cleanValue(value: unknown, options: NormaliseOptions, key = ""): unknown {
  if (key === "execDuration") return "<number>";
  if (typeof value === "string")
    return value !== "" && places.test(key) ? "<place>" : cleanText(value, options);
  if (key === "IPPrefixLen" && value === 20) return 16; // of the other pool: `patterns`
  if (typeof value === "number") return volatileNumbers.test(key) && value > 0 ? "<number>" : value;
  if (Array.isArray(value)) {
    const clean = value.map((each) => cleanValue(each, options));
    return key === "VolumesDeleted"
      ? clean.map(String).toSorted((left, right) => (left < right ? -1 : 1))
      : inOrder(clean);
  }
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(
    ([name, each]) => [cleanText(name, options), cleanValue(each, options, name)] as const,
  );
  return Object.fromEntries(entries);
}

/** Docker lists networks, volumes, mounts, ports and changed files in no order. */
function inOrder(values: readonly unknown[]): readonly unknown[] {
  const keyOf = (value: unknown) => {
    const { Name, Destination, PrivatePort, Path, Kind } = (value ?? {}) as Readonly<Record<string, unknown>>;
    return Destination ?? Name ?? PrivatePort ?? (Kind === undefined ? undefined : Path);
  };
  if (values.some((value) => keyOf(value) === undefined)) return values;
  return values.toSorted((left, right) => (String(keyOf(left)) < String(keyOf(right)) ? -1 : 1));
}

const patterns: readonly (readonly [RegExp, string])[] = [
  [/\d+\.\d\d, as there are only \d+ CPUs/g, "<CPUs>"],
  [/\b(?!0001)\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?/g, "<time>"],
  [/\bsha256:[0-9a-f]{64}\b/g, "<digest>"],
  [/\b[0-9a-f]{64}\b/g, "<id>"],
  [/(?<=\/)(snapshots|layers)\/\d+(?=\/)/g, "$1/<number>"],
  [/\/proc\/\d+\//g, "/proc/<pid>/"],
  [/\bdocker-import-\d+/g, "docker-import-<number>"],
  [/\b(?=[0-9a-f]*\d)[0-9a-f]{12}\b/g, "<short id>"],
  [/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, "<mac>"],
  // Both pools that networks are taken from: which has room depends on what else the machine has.
  [/\b192\.168\.\d+\.\d+\/20\b/g, "<address>/16"],
  [/\b(172\.(1[6-9]|2\d|3[01])|192\.168)\.\d+\.\d+\b/g, "<address>"],
];

function cleanText(text: string, { known }: NormaliseOptions): string {
  let clean = text;
  for (const [from, to] of known) clean = clean.replaceAll(from, to);
  for (const [from, to] of patterns) clean = clean.replace(from, to);
  return clean;
}

/** Types in place of values; an array's elements, which are alike, as one. */
function shapeOf(value: unknown): unknown {
  if (value === null) return null;
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value !== "object") return `<${typeof value}>`;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shapeOf(each)]));
}
