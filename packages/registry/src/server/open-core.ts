import { mkdir } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
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

export interface RegistryCoreOptions {
  /** The folder of everything; made when it is not there. */
  readonly root: string;
  /** Blobs are in a bucket, not in the folder. */
  readonly s3?: S3Options;
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
  /** How long the rest of a body that was refused is read. */
  readonly drainMs?: number;
  readonly onPush?: (event: PushEvent) => void;
  readonly now?: () => number;
  readonly log: Logger;
}

export type TokenOptions =
  | { readonly by: "registry"; readonly name: string; readonly realm?: string }
  | (TokenTrust & { readonly by: "service"; readonly realm: string });

/** A registry that nobody is connected to yet. */
export interface RegistryCore extends AsyncDisposable {
  readonly service: RegistryService;
  /** Where some repositories are copies. */
  readonly pullThrough: PullThrough | undefined;
  /** Answer a request. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  readonly collectGarbage: (options: {
    readonly graceMs: number;
    readonly untagged: boolean;
    readonly dryRun: boolean;
  }) => Promise<Collected>;
}

/** What a registry is made of. @throws {Fault} `conflict` when another one has its folder, `invalid-argument` for the users */
export async function openRegistryCore(options: RegistryCoreOptions): Promise<RegistryCore> {
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
  const resources = opened.move();
  return {
    service,
    pullThrough,
    handle: (request, response) =>
      void handleRequest(parts, request, response).catch((error: unknown) => {
        log.error("request failed", { error });
        response.destroy();
      }),
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
