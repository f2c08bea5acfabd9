import type { IncomingMessage, ServerResponse } from "node:http";
import type { Action, Caller } from "./access.ts";
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
import { giveToken } from "./token-requests.ts";
import { scopeOf } from "./token-verifier.ts";

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
  // Node takes it away from a request that is over.
  const client = request.socket.remoteAddress ?? "";
  const asked: Asked = {};
  response.setHeader("Docker-Distribution-API-Version", "registry/2.0");
  response.setHeader("X-Content-Type-Options", "nosniff");
  try {
    const url = URL.parse(request.url ?? "/", "http://registry");
    if (url === null) throw serverFaults.PAGE_NOT_FOUND();
    await answer(parts, { request, response, url }, asked);
  } catch (error) {
    refuse(parts, error, { request, response }, asked);
  }
  discardRest(request, parts.drainMs);
  const ms = Math.round(performance.now() - startedMs);
  parts.metrics.count(request.method ?? "", response.statusCode, ms);
  parts.log[parts.accessLog ? "info" : "debug"]("request", {
    client,
    method: request.method,
    url: request.url,
    status: response.statusCode,
    ms,
    ...(asked.caller?.user !== undefined && { user: asked.caller.user }),
  });
}

/**
 * What is left of a body that nobody wants is read for a while: many clients read no answer before they have sent all, and a closed
 * connection takes the answer away from them. Whoever goes on after that is cut off.
 */
function discardRest(request: IncomingMessage, drainMs: number): void {
  request.resume();
  if (request.complete || request.destroyed) return;
  const late = setTimeout(() => request.destroy(), drainMs);
  request.once("close", () => clearTimeout(late));
}

/** What became known of a request: for its log line and its refusal. */
interface Asked {
  caller?: Caller;
  /** What a token must be for. */
  scope?: string | undefined;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
}

async function answer(parts: HandlerParts, exchange: Exchange, asked: Asked): Promise<void> {
  const { request, response, url } = exchange;
  const { authenticator } = parts;
  const method = request.method ?? "";
  const path = url.pathname;
  if (path === "/healthz" && (method === "GET" || method === "HEAD"))
    return sendJson(response, 200, { status: "ok" });
  if (path === "/metrics" && method === "GET") {
    response.setHeader("Content-Type", "text/plain; version=0.0.4");
    response.end(parts.metrics.text());
    return;
  }
  if (method === "GET" && parts.page?.answer(path, response) === true) return;
  const issuer = authenticator.tokens?.issuer;
  if (path === "/token" && issuer !== undefined) {
    asked.caller = await giveToken({ authenticator, issuer }, exchange);
    return;
  }
  const target = findTarget(method, path);
  asked.scope = target.kind === "repository" ? scopeOf(target) : target.scope;
  const caller = await authenticator.authenticate(request.headers.authorization);
  asked.caller = caller;
  switch (target.kind) {
    case "base": {
      // Clients ask here whether a login is wanted; a token shows that there was one.
      const hasToken = authenticator.tokens !== undefined && request.headers.authorization !== undefined;
      if (caller.user === undefined && authenticator.hasUsers && !hasToken) throw serverFaults.UNAUTHORIZED();
      return sendJson(response, 200, {});
    }
    case "catalog":
      if (!caller.mayList) throw serverFaults.UNAUTHORIZED();
      return listRepositories(parts, { response, url, caller });
    case "repository": {
      const { repository, rest } = target;
      authenticator.require(caller, target);
      if (target.action === "push" && parts.pullThrough?.covers(repository) === true) {
        throw serverFaults.UNSUPPORTED(`${repository} is a copy of another registry's`);
      }
      return await target.handler(parts, { request, response, url, repository, rest, caller });
    }
  }
}

/** What a request is about. */
type Target =
  | { readonly kind: "base" | "catalog"; readonly scope?: string }
  | {
      readonly kind: "repository";
      readonly repository: string;
      readonly rest: string;
      readonly action: Action;
      readonly handler: Handler;
    };

function findTarget(method: string, path: string): Target {
  if (path === "/v2/" || path === "/v2") {
    if (method !== "GET" && method !== "HEAD") throw serverFaults.UNSUPPORTED(method);
    return { kind: "base" };
  }
  if (path === "/v2/_catalog") {
    if (method !== "GET") throw serverFaults.UNSUPPORTED(method);
    return { kind: "catalog", scope: "registry:catalog:*" };
  }
  for (const { pattern, methods } of routes) {
    const [, name, rest] = pattern.exec(path) ?? [];
    if (name === undefined || rest === undefined) continue;
    const repository = parseName(decode(name));
    const entry = methods[method];
    if (entry === undefined) throw serverFaults.UNSUPPORTED(`${method} ${path}`);
    const [action, handler] = entry;
    return { kind: "repository", repository, rest: decode(rest), action, handler };
  }
  throw serverFaults.PAGE_NOT_FOUND();
}

function refuse(
  { log, authenticator }: HandlerParts,
  error: unknown,
  { request, response }: Omit<Exchange, "url">,
  asked: Asked,
): void {
  if (request.destroyed && !request.complete) {
    // Who has left hears nothing, and it is nothing that somebody must look at.
    log.debug("client left", { url: request.url, error });
    response.statusCode = 499; // for the log and the numbers
    response.destroy();
    return;
  }
  const { status, body, isInternal } = errorResponse(error);
  if (isInternal) log.error("request failed", { error });
  if (response.headersSent) {
    // The answer has begun: only its early end can tell.
    response.destroy();
    return;
  }
  const challenge = status === 401 ? authenticator.challengeTo(request, asked) : undefined;
  if (challenge !== undefined) response.setHeader("WWW-Authenticate", challenge);
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
