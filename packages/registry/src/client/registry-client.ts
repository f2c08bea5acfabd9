import type { Reference } from "@hawser/oci";
import { type Credentials, requestToken } from "./authorizer.ts";
import { parseChallenges } from "./challenge.ts";
import { RegistryEndpoint } from "./endpoint.ts";
import { registryFaults } from "./faults.ts";
import type { RegistrySettings } from "./host.ts";
import { Repository } from "./repository.ts";
import { resolveHosts } from "./resolve-hosts.ts";
import { defaultRetryPolicy, type RetryPolicy } from "./retry.ts";
import { type FoundRepository, type SearchRequest, searchRegistry } from "./search-registry.ts";
import { discardBody, isWrongProtocol, Transport } from "./transport.ts";

/** Where Docker Hub is searched. */
const hubIndex = "index.docker.io";

/** Who asks a registry, and what is told to it besides. */
export interface RegistryAccess {
  readonly credentials?: Credentials;
  /** For the registry itself, not for its mirrors. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Settings and retries are looked at with every request: they may change. */
export interface RegistryClientOptions {
  readonly settings: RegistrySettings;
  /** For proxies. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly userAgent: string;
  readonly idleMs?: number;
  readonly retry?: RetryPolicy;
  readonly now?: () => number;
}

/** Registries as one program sees them: its settings, its connections. */
export class RegistryClient implements Disposable {
  readonly #options: RegistryClientOptions;
  readonly #transport: Transport;

  constructor(options: RegistryClientOptions) {
    this.#options = options;
    this.#transport = new Transport(options);
  }

  get #retry(): RetryPolicy {
    return this.#options.retry ?? defaultRetryPolicy;
  }

  /** @throws {Fault} `invalid-argument` for configuration that cannot be read */
  async repository(reference: Reference, access: RegistryAccess = {}): Promise<Repository> {
    const { domain, path } = reference;
    const hosts = await resolveHosts(domain, this.#options.settings);
    const endpoints = hosts.map((host) => this.#endpoint(host, access));
    return new Repository({ domain, path, endpoints, retry: this.#retry });
  }

  /**
   * Whether a registry lets someone in.
   *
   * @returns a token that stands for the person from now on, where the registry gives one
   * @throws {Fault} `unauthenticated` when it does not; `unavailable`
   */
  async login(
    domain: string,
    credentials: Credentials,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<{ readonly identityToken?: string }> {
    const hosts = await resolveHosts(domain, this.#options.settings);
    const host = hosts.find(({ isOrigin }) => isOrigin);
    if (host === undefined) throw registryFaults.NO_HOST(domain, "log in to");
    const { base, challenges } = await this.#ping(host, signal);
    const endpoint = this.#endpoint({ ...host, bases: [base] }, { credentials });
    const bearer = parseChallenges(challenges).find((challenge) => challenge.scheme === "bearer");
    if (bearer?.scheme === "bearer") {
      const { refreshToken } = await requestToken(bearer, [], {
        ...endpoint.authorizerOptions(base),
        offline: true,
        ...(signal && { signal }),
      });
      return refreshToken === undefined ? {} : { identityToken: refreshToken };
    }
    const request = { method: "GET", path: "/", scopes: [], accept: [200, 401], signal } as const;
    const { status, body } = await endpoint.request(request);
    body.resume();
    if (status === 401) throw registryFaults.LOGIN_REFUSED(`${base}/`);
    return {};
  }

  /**
   * Repositories whose names have a term in them.
   *
   * @throws {Fault} `not-implemented` when the registry cannot be searched; `unauthenticated`, `unavailable`
   */
  async search(
    domain: string,
    { access = {}, ...request }: SearchRequest & { readonly access?: RegistryAccess },
  ): Promise<readonly FoundRepository[]> {
    const hosts = await resolveHosts(domain === "docker.io" ? hubIndex : domain, this.#options.settings);
    const host = hosts.find(({ isOrigin }) => isOrigin);
    if (host === undefined) throw registryFaults.NO_HOST(domain, "search");
    const { base } = await this.#ping(host, request.signal);
    return await searchRegistry(this.#endpoint({ ...host, bases: [base] }, access), base, request);
  }

  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }

  /** What a host wants of those who come without anything. */
  async #ping(host: RegistryEndpoint["host"], signal: AbortSignal | undefined) {
    const ask = async (base: string) => {
      const url = new URL(`${base}/`);
      const response = await this.#transport.send({
        method: "GET",
        url,
        tls: host.tls,
        ...(signal && { signal }),
      });
      await discardBody(response);
      return { base, challenges: response.headers["www-authenticate"] ?? "" };
    };
    const [first, second] = host.bases;
    try {
      return await ask(first);
    } catch (error) {
      if (second === undefined || !isWrongProtocol(error)) throw error;
      return await ask(second);
    }
  }

  #endpoint(host: RegistryEndpoint["host"], { credentials, headers = {} }: RegistryAccess): RegistryEndpoint {
    return new RegistryEndpoint({
      host,
      transport: this.#transport,
      credentials,
      headers: host.isOrigin ? headers : {},
      retry: this.#retry,
      now: this.#options.now ?? Date.now,
    });
  }
}
