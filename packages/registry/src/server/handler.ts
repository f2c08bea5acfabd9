import type { IncomingMessage, ServerResponse } from "node:http";
import type { Action } from "./access.ts";
import { type Call, type HandlerParts, parseName, sendJson } from "./call.ts";
import { errorResponse } from "./error-response.ts";
import { serverFaults } from "./faults.ts";
import { deleteBlob, deleteManifest, getReferrers, listRepositories, listTags } from "./listing-requests.ts";
import { getBlob, getManifest } from "./pull-requests.ts";
import {
  beginUpload,
  cancelUpload,
  finishUpload,
  getUpload,
  patchUpload,
  putManifest,
} from "./push-requests.ts";

type Handler = (parts: HandlerParts, call: Call) => Promise<void> | void;

interface Route {
  readonly pattern: RegExp;
  readonly methods: Readonly<Partial<Record<string, readonly [Action, Handler]>>>;
}

const routes: readonly Route[] = [
  { pattern: /^\/v2\/(.+)\/tags\/list()$/, methods: { GET: ["pull", listTags] } },
  {
    pattern: /^\/v2\/(.+)\/manifests\/([^/]+)$/,
    methods: {
      GET: ["pull", getManifest],
      HEAD: ["pull", getManifest],
      PUT: ["push", putManifest],
      DELETE: ["delete", deleteManifest],
    },
  },
  { pattern: /^\/v2\/(.+)\/blobs\/uploads\/?()$/, methods: { POST: ["push", beginUpload] } },
  {
    pattern: /^\/v2\/(.+)\/blobs\/uploads\/([^/]+)$/,
    methods: {
      GET: ["push", getUpload],
      PATCH: ["push", patchUpload],
      PUT: ["push", finishUpload],
      DELETE: ["push", cancelUpload],
    },
  },
  {
    pattern: /^\/v2\/(.+)\/blobs\/([^/]+)$/,
    methods: { GET: ["pull", getBlob], HEAD: ["pull", getBlob], DELETE: ["delete", deleteBlob] },
  },
  { pattern: /^\/v2\/(.+)\/referrers\/([^/]+)$/, methods: { GET: ["pull", getReferrers] } },
];

/** Answer one request of distribution-spec 1.1. Never throws: what goes wrong is in the answer or in the log. */
export async function handleRequest(
  parts: HandlerParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const startedMs = performance.now();
  let user: string | undefined;
  response.setHeader("Docker-Distribution-API-Version", "registry/2.0");
  response.setHeader("X-Content-Type-Options", "nosniff");
  try {
    const url = new URL(request.url ?? "/", "http://registry");
    user = await answer(parts, request, response, url);
  } catch (error) {
    refuse(parts, response, error);
  }
  discardRest(request);
  const ms = Math.round(performance.now() - startedMs);
  parts.metrics.count(request.method ?? "", response.statusCode, ms);
  parts.log[parts.accessLog ? "info" : "debug"]("request", {
    client: request.socket.remoteAddress ?? "",
    method: request.method,
    url: request.url,
    status: response.statusCode,
    ms,
    ...(user !== undefined && { user }),
  });
}

const maxDiscardedBytes = 1 << 20;

/** What is left of a body that nobody wants: a little is read, so that the client sees the answer; more ends the connection. */
function discardRest(request: IncomingMessage): void {
  if (request.complete || request.destroyed) {
    request.resume();
    return;
  }
  let left = maxDiscardedBytes;
  request.on("data", (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.socket.destroy();
  });
}

async function answer(
  parts: HandlerParts,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<string | undefined> {
  const method = request.method ?? "";
  const path = url.pathname;
  if (path === "/healthz" && method === "GET") {
    sendJson(response, 200, { status: "ok" });
    return undefined;
  }
  if (path === "/metrics" && method === "GET") {
    response.setHeader("Content-Type", "text/plain; version=0.0.4");
    response.end(parts.metrics.text());
    return undefined;
  }
  const user = await parts.access.authenticate(request.headers.authorization);
  if (path === "/v2/" || path === "/v2") {
    // Clients ask here whether a login is wanted.
    if (user === undefined && parts.access.hasUsers) throw serverFaults.UNAUTHORIZED();
    if (method !== "GET" && method !== "HEAD") throw serverFaults.UNSUPPORTED(method);
    sendJson(response, 200, {});
    return user;
  }
  if (path === "/v2/_catalog") {
    if (method !== "GET") throw serverFaults.UNSUPPORTED(method);
    listRepositories(parts, { response, url, user });
    return user;
  }
  for (const { pattern, methods } of routes) {
    const [, name, rest] = pattern.exec(path) ?? [];
    if (name === undefined || rest === undefined) continue;
    const repository = parseName(decode(name));
    const entry = methods[method];
    if (entry === undefined) throw serverFaults.UNSUPPORTED(`${method} ${path}`);
    const [action, handler] = entry;
    parts.access.require(user, { repository, action });
    await handler(parts, { request, response, url, repository, rest: decode(rest), user });
    return user;
  }
  throw serverFaults.PAGE_NOT_FOUND();
}

function refuse({ log, access }: HandlerParts, response: ServerResponse, error: unknown): void {
  const { status, body, isInternal } = errorResponse(error);
  if (isInternal) log.error("request failed", { error });
  if (response.headersSent) {
    // The answer has begun: only its early end can tell.
    response.destroy();
    return;
  }
  if (status === 401 && access.hasUsers)
    response.setHeader("WWW-Authenticate", 'Basic realm="hawser-registry"');
  response.statusCode = status;
  response.setHeader("Content-Type", "application/json");
  response.removeHeader("Docker-Content-Digest");
  response.end(body);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw serverFaults.NAME_INVALID(text.slice(0, 100));
  }
}
