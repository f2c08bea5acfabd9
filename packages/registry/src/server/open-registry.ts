import { mkdir } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Logger } from "@hawser/base";
import { Access, type AccessOptions } from "./access.ts";
import { Authenticator, type TokenSource } from "./authenticator.ts";
import type { BlobStorage } from "./blob-storage.ts";
import { BrowsePage } from "./browse-page.ts";
import { requireNoBucket } from "./bucket-file.ts";
import type { PushEvent } from "./call.ts";
import { ChunkReader } from "./chunk-reader.ts";
import { type Collected, collectGarbage } from "./collect-garbage.ts";
import { lockData } from "./data-lock.ts";
import { FileBlobStorage } from "./file-blob-storage.ts";
import { FileUploads } from "./file-uploads.ts";
import { handleRequest } from "./handler.ts";
import { Metrics } from "./metrics.ts";
import { PullThrough, type PullThroughOptions } from "./pull-through.ts";
import { RegistryIndex } from "./registry-index.ts";
import { type RegistryLimits, RegistryService } from "./registry-service.ts";
import type { S3Options } from "./s3-bucket.ts";
import { openTokenIssuer } from "./token-issuer.ts";
import { createTokenVerifier, type TokenTrust } from "./token-verifier.ts";

export interface RegistryOptions {
  /** The folder of everything; made when it is not there. */
  readonly root: string;
  /** Blobs are in a bucket, not in the folder. */
  readonly s3?: S3Options;
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly tls?: { readonly certificate: string; readonly key: string };
  readonly access?: AccessOptions;
  /** Bearer tokens: made by the registry for its users, or by a service elsewhere. */
  readonly tokens?: TokenOptions;
  /** Repositories that are copies of other registries'. */
  readonly pullThrough?: PullThroughOptions;
  readonly deletes?: boolean;
  /** A page to browse it is at `/`. Default: yes. */
  readonly page?: boolean;
  /** Every request is worth a line of the log. */
  readonly accessLog?: boolean;
  readonly limits?: RegistryLimits;
  /** Manifests whose blobs are elsewhere are taken, too. */
  readonly takesSparse?: boolean;
  /** How long a connection may be silent. */
  readonly idleMs?: number;
  /** How long the rest of a body that was refused is read. */
  readonly drainMs?: number;
  readonly onPush?: (event: PushEvent) => void;
  readonly now?: () => number;
  readonly log: Logger;
}

export type TokenOptions =
  | { readonly by: "registry"; readonly name: string; readonly realm?: string }
  | (TokenTrust & { readonly by: "service"; readonly realm: string });

/** A registry that answers. Disposal waits for answers that have begun. */
export interface Registry extends AsyncDisposable {
  /** `http://127.0.0.1:5000` */
  readonly url: string;
  readonly service: RegistryService;
  collectGarbage(options: {
    readonly graceMs: number;
    readonly untagged: boolean;
    readonly dryRun: boolean;
  }): Promise<Collected>;
}

/** Open a registry and listen. @throws {Fault} `conflict` when another one has its folder, `invalid-argument` for the users */
export async function openRegistry(options: RegistryOptions): Promise<Registry> {
  const { root, log, now = Date.now } = options;
  await using opened = new AsyncDisposableStack();
  await mkdir(root, { recursive: true, mode: 0o700 });
  opened.use(lockData(root));
  const index = opened.use(RegistryIndex.open(join(root, "registry.db"), { now }));
  const reader = new ChunkReader();
  const uploads = await FileUploads.open(root, reader);
  let storage: BlobStorage;
  let records: { settle(): Promise<void> } | undefined;
  if (options.s3 === undefined) {
    await requireNoBucket(root);
    storage = await FileBlobStorage.open(root, { uploads, reader });
  } else {
    // The client library is large: only who has a bucket loads it.
    const { openS3Storage } = await import("./open-s3-storage.ts");
    const s3 = opened.use(await openS3Storage(options.s3, { root, index, uploads, log, now }));
    ({ storage, records } = s3);
  }
  const service = new RegistryService({
    index,
    storage,
    ...(records && { records }),
    ...(options.limits && { limits: options.limits }),
    takesSparse: options.takesSparse === true,
  });
  const access = new Access({
    ...options.access,
    tokensElsewhere: options.tokens?.by === "service",
  });
  const tokens = options.tokens && (await openTokenSource(options.tokens, { root, access, now }));
  const pullThrough = options.pullThrough && new PullThrough(service, options.pullThrough, { now, log });
  const parts = {
    service,
    pullThrough,
    authenticator: new Authenticator(access, tokens),
    metrics: new Metrics(() => index.counts()),
    page: options.page === false ? undefined : new BrowsePage(),
    log,
    deletes: options.deletes !== false,
    accessLog: options.accessLog === true,
    drainMs: options.drainMs ?? 10_000,
    onPush: options.onPush ?? (() => {}),
  };
  const handler = (
    request: Parameters<typeof handleRequest>[1],
    response: Parameters<typeof handleRequest>[2],
  ) =>
    void handleRequest(parts, request, response).catch((error: unknown) => {
      log.error("request failed", { error });
      response.destroy();
    });
  const { tls } = options;
  const server: Server =
    tls === undefined
      ? createServer(handler)
      : createTlsServer({ cert: tls.certificate, key: tls.key, minVersion: "TLSv1.2" }, handler);
  // A push may take hours; what may not is silence.
  server.requestTimeout = 0;
  server.headersTimeout = 30_000;
  server.keepAliveTimeout = 75_000;
  server.setTimeout(options.idleMs ?? 120_000, (socket) => socket.destroy());
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ host: options.host, port: options.port }, resolve);
  await promise;
  opened.defer(() => closeServer(server));
  const { address, port } = server.address() as AddressInfo;
  const host = address.includes(":") ? `[${address}]` : address;
  const resources = opened.move();
  return {
    url: `${tls === undefined ? "http" : "https"}://${host}:${port}`,
    service,
    collectGarbage: (how) =>
      collectGarbage(service, {
        ...how,
        nowMs: now(),
        ...(pullThrough && {
          copies: { covers: (name) => pullThrough.covers(name), keepMs: pullThrough.keepMs },
        }),
      }),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function openTokenSource(
  options: TokenOptions,
  parts: { readonly root: string; readonly access: Access; readonly now: () => number },
): Promise<TokenSource> {
  const { root, access, now } = parts;
  if (options.by === "service") {
    const { realm, service } = options;
    return { realm, service, verify: await createTokenVerifier(options, { now }) };
  }
  const { name, realm } = options;
  const issuer = await openTokenIssuer(root, { name, access, now });
  return { ...(realm !== undefined && { realm }), service: name, verify: issuer.verify, issuer };
}

async function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  const late = setTimeout(() => server.closeAllConnections(), 10_000);
  await promise;
  clearTimeout(late);
}
