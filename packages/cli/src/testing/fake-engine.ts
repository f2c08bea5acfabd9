import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { join } from "node:path";
import { encodeFrame } from "@hawser/api";
import { openTempDir } from "@hawser/base/testing";

export interface FakeRequest {
  /** `POST /containers/create`, without version and query. */
  readonly route: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
}

/** Answers one request: a value is sent as JSON with status 200, a number is a status alone. */
export type FakeReply = (request: FakeRequest, response: ServerResponse) => unknown;

/** What happens on a connection after its upgrade. */
export type FakeStream = (socket: Socket) => void;

export interface FakeEngineOptions {
  readonly replies?: Readonly<Record<string, FakeReply>>;
  readonly streams?: Readonly<Record<string, FakeStream>>;
}

/**
 * An engine by script, for what a real one does rarely or never. It keeps the routes of its requests in order. A route without
 * a script is a 404.
 */
export async function openFakeEngine(options: FakeEngineOptions) {
  const dir = await openTempDir();
  const socketPath = join(dir.path, "engine.sock");
  const requests: FakeRequest[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((message, response) => {
    response.setHeader("Api-Version", "1.51");
    response.setHeader("Ostype", "linux");
    void answer(message, { response, requests, options });
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  server.on("upgrade", (message: IncomingMessage, socket: Socket, head: Buffer) => {
    const { route, query } = routeOf(message);
    requests.push({ route, query, body: undefined });
    socket.write("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
    // a body that came with the head is the start request of an exec
    const length = Number(message.headers["content-length"] ?? 0);
    if (head.length > length) socket.unshift(head.subarray(length));
    options.streams?.[route]?.(socket);
  });
  server.listen(socketPath);
  await once(server, "listening");
  return {
    host: `unix://${socketPath}`,
    socketPath,
    requests,
    routes: () => requests.map(({ route }) => route),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
      await dir[Symbol.asyncDispose]();
    },
  };
}

function routeOf(message: IncomingMessage) {
  const url = new URL(message.url ?? "/", "http://engine");
  const route = `${message.method} ${url.pathname.replace(/^\/v1\.\d+/, "")}`;
  return { route, query: url.searchParams };
}

async function answer(
  message: IncomingMessage,
  context: {
    readonly response: ServerResponse;
    readonly requests: FakeRequest[];
    readonly options: FakeEngineOptions;
  },
): Promise<void> {
  const { response } = context;
  const chunks: Buffer[] = [];
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk);
  const { route, query } = routeOf(message);
  if (route === "HEAD /_ping") {
    response.end();
    return;
  }
  const isJson = message.headers["content-type"] === "application/json" && chunks.length > 0;
  const bytes = Buffer.concat(chunks);
  const request = { route, query, body: isJson ? (JSON.parse(bytes.toString()) as unknown) : bytes };
  context.requests.push(request);
  const reply = context.options.replies?.[route];
  if (reply === undefined) return refuse(response, { status: 404, message: `no script for ${route}` });
  const value = await reply(request, response);
  if (response.writableEnded || response.headersSent) return;
  if (typeof value === "number") response.writeHead(value).end();
  else response.setHeader("Content-Type", "application/json").end(JSON.stringify(value));
}

/** A refusal in the engine's form. */
export function refuse(
  response: ServerResponse,
  options: { readonly status: number; readonly message: string },
): void {
  response.writeHead(options.status, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ message: options.message }));
}

/** A line of a container's output, as it goes over an attached connection. */
export function outputFrame(stream: "stdout" | "stderr", text: string): Buffer {
  return encodeFrame(stream, Buffer.from(text));
}
