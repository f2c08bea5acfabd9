import { createHash } from "node:crypto";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import https from "node:https";
import type { AddressInfo, Socket } from "node:net";

/** One request that came in. */
export interface SeenRequest {
  readonly method: string;
  /** With query. */
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
}

/** Gets each request before the registry does. True: it has been dealt with. */
export type Interceptor = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

export interface FakeRegistryOptions {
  /** Who may come in; absent: everybody. */
  readonly login?: {
    readonly kind: "basic" | "bearer";
    readonly username: string;
    readonly password: string;
  };
  /** What `expires_in` of a token says, and after how many uses it is refused nevertheless. */
  readonly token?: { readonly lifeSeconds?: number; readonly uses?: number; readonly identity?: string };
  readonly tls?: https.ServerOptions;
  /** May be set later. */
  readonly intercept?: Interceptor;
}

/** Whatever a registry keeps as a manifest. */
export interface ManifestDocument {
  readonly mediaType: string;
  readonly [field: string]: unknown;
}

export interface FakeRegistry extends AsyncDisposable {
  /** `127.0.0.1:1234` */
  readonly address: string;
  readonly seen: SeenRequest[];
  intercept: Interceptor | undefined;
  /** By digest. */
  readonly blobs: Map<string, Buffer>;
  /** By `repository:tag` and `repository@digest`. */
  readonly manifests: Map<string, { readonly mediaType: string; readonly bytes: Buffer }>;
  /** Keep content under its digest. */
  addBlob(bytes: Uint8Array): string;
  addManifest(repository: string, tag: string, manifest: ManifestDocument): string;
  /** Requests so far whose line, `GET /v2/…`, fits. */
  count(pattern: RegExp): number;
}

/** A registry in memory, as small as one can be, that does wrong when it is told to. */
export async function openFakeRegistry(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, { readonly mediaType: string; readonly bytes: Buffer }>();
  const uploads = new Map<string, Buffer[]>();
  const tokens = new Map<string, number>();
  const seen: SeenRequest[] = [];
  const sockets = new Set<Socket>();
  const registry = { intercept: options.intercept };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "", url: path = "", headers } = request;
    seen.push({ method, path, headers });
    if (await registry.intercept?.(request, response)) return;
    const url = new URL(path, "http://x");
    if (url.pathname === "/token") return await giveToken(request, response, url);
    if (!isAllowed(headers.authorization)) {
      const challenge =
        options.login?.kind === "bearer"
          ? `Bearer realm="${scheme}://${address}/token",service="fake"`
          : 'Basic realm="fake"';
      response.setHeader("www-authenticate", challenge);
      return refuse(response, 401, "UNAUTHORIZED", "authentication required");
    }
    if (url.pathname === "/v2/") return answer(response, 200, "{}");
    const [, repository = "", kind = "", rest = ""] =
      /^\/v2\/(.+?)\/(manifests|blobs|tags)\/(.*)$/.exec(url.pathname) ?? [];
    if (kind === "manifests") return await manifest(request, response, { repository, rest });
    if (kind === "tags") {
      const names = [...manifests.keys()].filter((name) => name.startsWith(`${repository}:`));
      const tags = names.map((name) => name.slice(repository.length + 1));
      return answer(response, 200, JSON.stringify({ name: repository, tags }));
    }
    if (kind === "blobs" && rest.startsWith("uploads/")) {
      return await upload(request, response, { repository, id: rest.slice(8), query: url.searchParams });
    }
    if (kind === "blobs") return blob(request, response, rest);
    refuse(response, 404, "NAME_UNKNOWN", "repository name not known to registry");
  };

  const isAllowed = (authorization = ""): boolean => {
    const { login, token } = options;
    if (login === undefined) return true;
    const [kind, secret = ""] = authorization.split(" ");
    if (login.kind === "basic") return kind === "Basic" && isLogin(secret);
    const uses = tokens.get(secret);
    if (kind !== "Bearer" || uses === undefined || uses >= (token?.uses ?? Number.POSITIVE_INFINITY))
      return false;
    tokens.set(secret, uses + 1);
    return true;
  };
  const isLogin = (secret: string) =>
    Buffer.from(secret, "base64").toString() === `${options.login?.username}:${options.login?.password}`;

  const giveToken = async (request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> => {
    const body = new URLSearchParams((await bodyOf(request)).toString());
    const { token = {} } = options;
    const isIdentity = token.identity !== undefined && body.get("refresh_token") === token.identity;
    const [, secret = ""] = (request.headers.authorization ?? "").split(" ");
    if (!isIdentity && !isLogin(secret)) {
      return refuse(response, 401, "UNAUTHORIZED", "incorrect username or password");
    }
    const made = `token-${tokens.size + 1}`;
    tokens.set(made, 0);
    const refresh = url.searchParams.get("offline_token") === "true" && token.identity !== undefined;
    answer(
      response,
      200,
      JSON.stringify({
        token: made,
        expires_in: token.lifeSeconds ?? 300,
        ...(refresh && { refresh_token: token.identity }),
      }),
    );
  };

  const manifest = async (
    request: IncomingMessage,
    response: ServerResponse,
    { repository, rest }: { readonly repository: string; readonly rest: string },
  ): Promise<void> => {
    if (request.method === "PUT") {
      const bytes = await bodyOf(request);
      const mediaType = request.headers["content-type"] ?? "";
      const digest = sha256(bytes);
      for (const name of rest.includes(":") ? [`@${digest}`] : [`@${digest}`, `:${rest}`]) {
        manifests.set(repository + name, { mediaType, bytes });
      }
      response.setHeader("docker-content-digest", digest);
      return answer(response, 201, "");
    }
    const found = manifests.get(`${repository}${rest.includes(":") ? "@" : ":"}${rest}`);
    if (found === undefined) return refuse(response, 404, "MANIFEST_UNKNOWN", "manifest unknown");
    response.setHeader("content-type", found.mediaType);
    response.setHeader("docker-content-digest", sha256(found.bytes));
    answer(response, 200, found.bytes);
  };

  const blob = (request: IncomingMessage, response: ServerResponse, digest: string): void => {
    const bytes = blobs.get(digest);
    if (bytes === undefined) return refuse(response, 404, "BLOB_UNKNOWN", "blob unknown to registry");
    const [, first] = /^bytes=(\d+)-$/.exec(request.headers.range ?? "") ?? [];
    if (first === undefined) return answer(response, 200, bytes);
    response.setHeader("content-range", `bytes ${first}-${bytes.length - 1}/${bytes.length}`);
    answer(response, 206, bytes.subarray(Number(first)));
  };

  const upload = async (
    request: IncomingMessage,
    response: ServerResponse,
    {
      repository,
      id,
      query,
    }: { readonly repository: string; readonly id: string; readonly query: URLSearchParams },
  ): Promise<void> => {
    const mount = query.get("mount");
    if (request.method === "POST" && mount !== null && blobs.has(mount)) return answer(response, 201, "");
    const key = request.method === "POST" ? `${uploads.size + 1}` : id;
    const chunks = request.method === "POST" ? [] : uploads.get(key);
    if (chunks === undefined)
      return refuse(response, 404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
    uploads.set(key, chunks);
    // What came before the connection broke counts.
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const whole = Buffer.concat(chunks);
    response.setHeader("location", `/v2/${repository}/blobs/uploads/${key}`);
    if (whole.length > 0) response.setHeader("range", `0-${whole.length - 1}`);
    if (request.method === "GET") return answer(response, 204, "");
    if (request.method !== "PUT") return answer(response, 202, "");
    if (sha256(whole) !== query.get("digest"))
      return refuse(response, 400, "DIGEST_INVALID", "it is another");
    blobs.set(sha256(whole), whole);
    uploads.delete(key);
    answer(response, 201, "");
  };

  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    handle(request, response).catch(() => response.destroy());
  };
  const server =
    options.tls === undefined ? http.createServer(listener) : https.createServer(options.tls, listener);
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const address = `127.0.0.1:${port}`;
  const scheme = options.tls === undefined ? "http" : "https";
  return Object.assign(registry, {
    address,
    seen,
    blobs,
    manifests,
    addBlob(bytes: Uint8Array) {
      const digest = sha256(bytes);
      blobs.set(digest, Buffer.from(bytes));
      return digest;
    },
    addManifest(repository: string, tag: string, value: ManifestDocument) {
      const bytes = Buffer.from(JSON.stringify(value));
      const digest = sha256(bytes);
      manifests.set(`${repository}:${tag}`, { mediaType: value.mediaType, bytes });
      manifests.set(`${repository}@${digest}`, { mediaType: value.mediaType, bytes });
      return digest;
    },
    count: (pattern: RegExp) => seen.filter(({ method, path }) => pattern.test(`${method} ${path}`)).length,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

function answer(response: ServerResponse, status: number, body: string | Buffer): void {
  response.writeHead(status, { "content-length": Buffer.byteLength(body) });
  response.end(body);
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  answer(response, status, JSON.stringify({ errors: [{ code, message }] }));
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
