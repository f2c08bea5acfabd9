import { type Authorizer, type Credentials, createAuthorizer, type Scope } from "./authorizer.ts";
import { type FollowedResponse, sendFollowed } from "./follow-redirects.ts";
import type { RegistryHost } from "./host.ts";
import { faultOfAnswer } from "./registry-error.ts";
import { parseRetryAfter, type RetryPolicy, waitForRetry } from "./retry.ts";
import {
  discardBody,
  isTransient,
  isWrongProtocol,
  type RequestContent,
  readSmallBody,
  type Transport,
  type TransportRequest,
} from "./transport.ts";

export interface EndpointRequest {
  readonly method: TransportRequest["method"];
  /** Below `/v2`: `/library/busybox/manifests/latest`; or a whole address that the registry gave. */
  readonly path: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly content?: RequestContent;
  readonly scopes: readonly Scope[];
  /** Statuses that are no refusal. */
  readonly accept: readonly number[];
  /** Whether it may be sent again. Default: only what does not change anything. */
  readonly repeatable?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** An answer that was accepted. Its body is the caller's to read or discard. */
export type EndpointResponse = FollowedResponse;

export interface EndpointOptions {
  readonly host: RegistryHost;
  readonly transport: Transport;
  readonly credentials: Credentials | undefined;
  /** Headers of whoever asked, for the registry itself. */
  readonly headers: Readonly<Record<string, string>>;
  readonly retry: RetryPolicy;
  readonly now: () => number;
}

const maxErrorBytes = 64 << 10;

/**
 * One host of a registry, for one person: lets itself in, follows redirects, tries again what may do better. What is
 * secret goes to the host it is meant for and to the realm that this host names, never along a redirect.
 */
export class RegistryEndpoint {
  readonly host: RegistryHost;
  readonly #options: EndpointOptions;
  readonly #authorizers = new Map<string, Authorizer>();
  /** The base that answered. */
  #base: string | undefined;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.host = options.host;
  }

  /**
   * @throws {Fault} what the registry says; `unavailable`, `deadline-exceeded` when it cannot be reached; the reason of
   * `signal`
   */
  async request(request: EndpointRequest): Promise<EndpointResponse> {
    if (this.#base !== undefined || typeof request.path !== "string") {
      return await this.#withRetries(request, this.#base ?? this.host.bases[0]);
    }
    let failure: unknown;
    for (const base of this.host.bases) {
      try {
        const response = await this.#withRetries(request, base);
        this.#base = base;
        return response;
      } catch (error) {
        if (!isWrongProtocol(error)) throw error;
        failure ??= error;
      }
    }
    throw failure;
  }

  async #withRetries(request: EndpointRequest, base: string): Promise<EndpointResponse> {
    const { retry, now } = this.#options;
    const repeatable = request.repeatable ?? (request.method === "GET" || request.method === "HEAD");
    for (let attempt = 1; ; attempt++) {
      const mayRetry = repeatable && attempt <= retry.retries;
      let askedMs: number | undefined;
      try {
        const response = await this.#authorized(request, base);
        if (request.accept.includes(response.status)) return response;
        askedMs = parseRetryAfter(response.headers["retry-after"], now());
        // Who is told to come back in an hour wants to know it now.
        const tooLate = askedMs !== undefined && askedMs > retry.maxDelayMs;
        if (!mayRetry || !isBusy(response.status) || tooLate) await throwRefusal(response, request.signal);
        await discardBody(response);
      } catch (error) {
        request.signal?.throwIfAborted();
        if (!mayRetry || !isTransient(error)) throw error;
      }
      await waitForRetry(retry, { attempt, askedMs, signal: request.signal });
    }
  }

  /** Once more when the registry wants another token than was sent. */
  async #authorized(request: EndpointRequest, base: string): Promise<EndpointResponse> {
    const { scopes, signal } = request;
    const url = typeof request.path === "string" ? new URL(base + request.path) : request.path;
    const own = url.origin === new URL(base).origin;
    const authorizer = this.#authorizerFor(base);
    for (let attempt = 1; ; attempt++) {
      const authorization = own ? await authorizer.headerFor(scopes, signal) : undefined;
      const response = await this.#followed(request, { url, base, authorization });
      const challenges = response.headers["www-authenticate"];
      if (!own || response.status !== 401 || challenges === undefined || attempt > 2) return response;
      const { what } = response;
      if (!(await authorizer.meet({ challenges, sent: authorization, what }, scopes, signal)))
        return response;
      await discardBody(response);
    }
  }

  async #followed(
    request: EndpointRequest,
    first: { readonly url: URL; readonly base: string; readonly authorization: string | undefined },
  ): Promise<EndpointResponse> {
    const { signal, content, method } = request;
    const { origin } = new URL(first.base);
    // Whoever was led away is a stranger, even where the way leads back.
    let isOwn = true;
    const asking = (url: URL): TransportRequest => {
      isOwn &&= url.origin === origin;
      const secret = isOwn ? first.authorization : undefined;
      return {
        method,
        url,
        headers: {
          ...(isOwn && { ...this.#options.headers, ...this.host.headers }),
          ...request.headers,
          ...(secret !== undefined && { authorization: secret }),
        },
        // A certificate of ours, and trust that was given to this host, are for it alone.
        ...(isOwn && { tls: this.host.tls }),
        ...(content && { content }),
        ...(signal && { signal }),
      };
    };
    return await sendFollowed(this.#options.transport, asking(first.url), asking);
  }

  #authorizerFor(base: string): Authorizer {
    let authorizer = this.#authorizers.get(base);
    if (authorizer === undefined) {
      authorizer = createAuthorizer(this.authorizerOptions(base));
      this.#authorizers.set(base, authorizer);
    }
    return authorizer;
  }

  /** What a login at this host goes by. */
  authorizerOptions(base: string) {
    const { transport, credentials, now } = this.#options;
    return {
      transport,
      tls: this.host.tls,
      isPlain: base.startsWith("http:"),
      credentials: this.host.isOrigin ? credentials : undefined,
      now,
    };
  }

  /** The base that answered last. */
  get base(): string {
    return this.#base ?? this.host.bases[0];
  }
}

function isBusy(status: number): boolean {
  return status === 429 || status === 500 || status === 502 || status === 503 || status === 504;
}

/** @throws {Fault} always: what the registry says */
export async function throwRefusal(response: EndpointResponse, signal?: AbortSignal): Promise<never> {
  const body = await readSmallBody(response, { what: response.what, maxBytes: maxErrorBytes, signal }).catch(
    () => {
      signal?.throwIfAborted();
      return Buffer.alloc(0);
    },
  );
  const { what, status, headers } = response;
  const challenges = headers["www-authenticate"];
  throw faultOfAnswer({ what, status, body: body.toString("utf8"), challenges });
}
