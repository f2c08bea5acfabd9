import { connect } from "node:net";

/** An answer as it came. */
export interface Sent {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** It did not end. */
  readonly open?: boolean;
}

/** Far more than any answer of the list. */
const maxAnswerBytes = 64 << 20;
const patienceMs = 10_000;

/**
 * Write bytes, read the answer to its end, or until it has that text so often. `input` goes out, and our half is closed, when the
 * head has come. A connection that is closed without an answer, or that stays silent, has status 0.
 *
 * @throws {Error} for what is not HTTP/1
 */
export async function send(
  socketPath: string,
  bytes: Uint8Array,
  {
    input,
    until,
    times = 1,
  }: Partial<Record<"input" | "until", string | undefined>> & { readonly times?: number } = {},
): Promise<Sent> {
  const { promise, resolve, reject } = Promise.withResolvers<Sent>();
  const socket = connect({ path: socketPath, allowHalfOpen: true });
  const chunks: Buffer[] = [];
  let size = 0;
  let sent = false;
  const finish = (open = false) => {
    socket.destroy();
    try {
      resolve({ ...parseAnswer(Buffer.concat(chunks)), ...(open && { open }) });
    } catch (error) {
      reject(error);
    }
  };
  socket.setTimeout(patienceMs, () => finish(true));
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxAnswerBytes) finish();
    if (input !== undefined && !sent && Buffer.concat(chunks).includes("\r\n\r\n")) {
      sent = true;
      socket.end(input);
    }
    if (input === undefined && isWhole(chunks)) finish();
    if (until !== undefined && Buffer.concat(chunks).toString().split(until).length > times) finish();
  });
  socket.on("end", () => finish());
  // An engine that refuses a request in its middle closes while we write: what it said first is the answer.
  socket.on("error", () => finish());
  socket.write(bytes);
  return await promise;
}

/** Whether an answer that tells its length has come to its end: some engines keep the connection. */
function isWhole(chunks: readonly Buffer[]): boolean {
  if (chunks.length > 64) return false;
  const all = Buffer.concat(chunks);
  const end = all.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const head = all.toString("latin1", 0, end);
  const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? [];
  return length !== undefined && all.length >= end + 4 + Number(length);
}

function parseAnswer(all: Buffer): Sent {
  if (all.length === 0) return { status: 0, headers: new Map(), body: Buffer.alloc(0) };
  const end = all.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = all.toString("latin1", 0, Math.max(end, 0)).split("\r\n");
  const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(statusLine) ?? [];
  if (status === undefined) throw new Error(`no answer of HTTP/1: ${all.toString("latin1", 0, 200)}`);
  if (status === "100") return parseAnswer(all.subarray(end + 4));
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const body = all.subarray(end + 4);
  const chunked = headers.get("transfer-encoding") === "chunked";
  return { status: Number(status), headers, body: chunked ? joinChunks(body) : body };
}

function joinChunks(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf("\r\n", at);
    const size = Number.parseInt(body.toString("latin1", at, end), 16);
    if (end < 0 || Number.isNaN(size)) throw new Error("the answer's chunks are broken");
    if (size === 0) break;
    parts.push(body.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
  return Buffer.concat(parts);
}
