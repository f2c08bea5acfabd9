import { join } from "node:path";
import { Fault, type Logger } from "@hawser/base";
import { type Digest, digestAlgorithm, parseReference } from "@hawser/oci";
import type { RegistryClient } from "../client/index.ts";
import type { Caller } from "./access.ts";
import { ArchiveRepository } from "./archive-repository.ts";
import { type Arrival, openArrival, readArrival } from "./arrival.ts";
import { serverFaults } from "./faults.ts";
import type { Referrer } from "./registry-index.ts";
import { type BlobContent, type RegistryService, referrerOf } from "./registry-service.ts";
import { type Upstream, type UpstreamRepository, upstreamName } from "./upstream.ts";

export interface PullThroughOptions {
  readonly upstreams: readonly Upstream[];
  readonly client: RegistryClient;
  /** How long a tag is believed to mean the same. */
  readonly freshMs: number;
  /** What nobody has wanted for so long goes. */
  readonly keepMs: number;
}

/** How long an upstream that did not answer is not asked for what is here. */
const downMs = 10_000;
/** How long it may take to say whether what is here is still right. */
const patienceMs = 10_000;
/** A use is not written down more often. */
const usedStepMs = 3_600_000;

/**
 * A cache of other registries: what is asked for and not here is fetched, checked and kept; tags are compared with the upstream's when
 * they are no more fresh. While an upstream does not answer, what is here is given. Who may have what is not asked here.
 */
export class PullThrough {
  readonly keepMs: number;
  readonly #service: RegistryService;
  readonly #options: PullThroughOptions;
  /** The longest prefix first. */
  readonly #upstreams: readonly Upstream[];
  readonly #now: () => number;
  readonly #log: Logger;
  readonly #asking = new Map<string, Promise<void>>();
  readonly #arrivals = new Map<string, Arrival>();
  readonly #downUntilMs = new Map<Upstream, number>();

  constructor(
    service: RegistryService,
    options: PullThroughOptions,
    parts: { readonly now: () => number; readonly log: Logger },
  ) {
    this.#service = service;
    this.#options = options;
    this.#upstreams = options.upstreams.toSorted((one, two) => two.prefix.length - one.prefix.length);
    this.keepMs = options.keepMs;
    this.#now = parts.now;
    this.#log = parts.log;
  }

  /** Whether a repository is a copy of another registry's. */
  covers(repository: string): boolean {
    return this.#find(repository) !== undefined;
  }

  /**
   * Have what a tag or digest names, as the upstream has it now.
   *
   * @throws {Fault} `not-found` when it has it no more; `permission-denied`, `unavailable` when it is not here either
   */
  async ensureManifest(
    repository: string,
    reference: { readonly tag: string } | { readonly digest: Digest },
  ): Promise<void> {
    const upstream = this.#find(repository);
    if (upstream === undefined) return;
    const { index } = this.#service;
    const there = "tag" in reference ? index.findTag(repository, reference.tag) : reference.digest;
    const isHere = there !== undefined && index.findManifest(repository, there) !== undefined;
    if (isHere) index.touchManifest(repository, there, { stepMs: usedStepMs });
    if (isHere && (!("tag" in reference) || this.#isFresh(upstream, repository, reference.tag))) return;
    const key = `${repository}@${"tag" in reference ? reference.tag : reference.digest}`;
    try {
      await this.#once(key, async () => {
        const remote = await this.#repository(upstream, repository);
        if ("digest" in reference) return await this.#fetchManifest(remote, repository, reference.digest);
        await this.#checkTag(remote, repository, { tag: reference.tag, isHere });
      });
    } catch (error) {
      const fault = upstreamFault(error, upstream);
      if (fault.kind === "not-found" && "tag" in reference) index.removeTag(repository, reference.tag);
      if (!isHere || fault.kind !== "unavailable") throw fault;
      this.#log.warn("upstream does not answer: what is here is given", { repository, error });
      this.#downUntilMs.set(upstream, this.#now() + downMs);
    }
  }

  /**
   * A blob, which is fetched when it is read and not here: once for all who read it, and they get it while it comes.
   *
   * @throws {Fault} as `ensureManifest`
   */
  async openBlob(repository: string, digest: Digest, caller: Caller): Promise<BlobContent> {
    const upstream = this.#find(repository);
    const service = this.#service;
    if (upstream === undefined || (await service.hasBlob(repository, digest))) {
      return await service.openBlob(repository, digest);
    }
    const sources = service.index
      .repositoriesWith(digest)
      .filter((source) => caller.allows({ repository: source, action: "pull" }));
    if (await service.mountBlob(repository, digest, sources))
      return await service.openBlob(repository, digest);
    const key = `${repository}@${digest}`;
    try {
      const remote = await this.#repository(upstream, repository);
      const sizeBytes = this.#arrivals.get(key)?.sizeBytes ?? (await remote.statBlob(digest));
      return {
        sizeBytes,
        read: (range = { start: 0, end: sizeBytes - 1 }) =>
          readArrival(() => this.#arrive(key, { remote, repository, digest, sizeBytes }), service, range),
      };
    } catch (error) {
      throw upstreamFault(error, upstream);
    }
  }

  /**
   * Every tag that the upstream has; `undefined`: no copy, or it does not answer, so that what is here counts.
   *
   * @throws {Fault} `not-found`, `permission-denied`; `unavailable` when nothing is here
   */
  async listTags(repository: string): Promise<readonly string[] | undefined> {
    return (await this.#askUpstream(repository, (remote) => remote.listTags()))?.toSorted();
  }

  /** What the upstream has about a manifest; `undefined` as `listTags`. */
  async listReferrers(repository: string, subject: Digest): Promise<readonly Referrer[] | undefined> {
    const found = await this.#askUpstream(repository, (remote) => remote.listReferrers(subject));
    return found?.map(referrerOf);
  }

  async #askUpstream<T>(
    repository: string,
    ask: (remote: UpstreamRepository) => Promise<T>,
  ): Promise<T | undefined> {
    const upstream = this.#find(repository);
    if (upstream === undefined) return undefined;
    try {
      return await ask(await this.#repository(upstream, repository));
    } catch (error) {
      const fault = upstreamFault(error, upstream);
      const isKnown = this.#service.index.hasRepository(repository);
      if (fault.kind !== "unavailable" || !isKnown) throw fault;
      return undefined;
    }
  }

  #find(repository: string): Upstream | undefined {
    return this.#upstreams.find(({ prefix }) => prefix === "" || repository.startsWith(`${prefix}/`));
  }

  async #repository(upstream: Upstream, repository: string): Promise<UpstreamRepository> {
    const { prefix } = upstream;
    const path = prefix === "" ? repository : repository.slice(prefix.length + 1);
    // No name of a repository leads out of the folder: none has a part that is `..`.
    if ("archives" in upstream) return new ArchiveRepository(join(upstream.archives, `${path}.tar`));
    const { registry, credentials } = upstream;
    return await this.#options.client.repository(
      parseReference(`${registry}/${path}`),
      credentials ? { credentials } : {},
    );
  }

  #isFresh(upstream: Upstream, repository: string, tag: string): boolean {
    if ("archives" in upstream) return false;
    const checkedMs = this.#service.index.taggedMs(repository, tag) ?? 0;
    return (
      checkedMs + this.#options.freshMs > this.#now() || (this.#downUntilMs.get(upstream) ?? 0) > this.#now()
    );
  }

  async #checkTag(
    remote: UpstreamRepository,
    repository: string,
    { tag, isHere }: { readonly tag: string; readonly isHere: boolean },
  ): Promise<void> {
    const { index } = this.#service;
    const digest = isHere
      ? await remote.findDigest(tag, { signal: AbortSignal.timeout(patienceMs) })
      : undefined;
    if (digest !== undefined && index.findManifest(repository, digest) !== undefined) {
      index.setTag(repository, tag, digest);
      return;
    }
    await this.#fetchManifest(remote, repository, tag);
  }

  async #fetchManifest(remote: UpstreamRepository, repository: string, reference: string): Promise<void> {
    const { digest, mediaType, bytes } = await remote.getManifest(reference);
    await this.#service.pushManifest(repository, bytes, {
      contentType: mediaType,
      digest,
      tags: reference.includes(":") ? [] : [reference],
      takesSparse: true,
    });
  }

  async #once(key: string, ask: () => Promise<void>): Promise<void> {
    let pending = this.#asking.get(key);
    if (pending === undefined) {
      pending = ask().finally(() => this.#asking.delete(key));
      this.#asking.set(key, pending);
    }
    await pending;
  }

  #arrive(
    key: string,
    wanted: {
      readonly remote: UpstreamRepository;
      readonly repository: string;
      readonly digest: Digest;
      readonly sizeBytes: number;
    },
  ): Arrival {
    let arrival = this.#arrivals.get(key);
    if (arrival === undefined) {
      const { remote, repository, digest, sizeBytes } = wanted;
      const algorithm = digestAlgorithm(digest);
      arrival = openArrival(this.#service, {
        repository,
        digest,
        algorithm,
        sizeBytes,
        fetch: (signal) => remote.fetchBlob({ digest, sizeBytes }, { signal }),
        onEnd: (failure) => {
          if (this.#arrivals.get(key) === arrival) this.#arrivals.delete(key);
          if (failure !== undefined && failure.kind !== "canceled") {
            this.#log.warn("a blob did not come", { repository, digest, error: failure });
          }
        },
      });
      this.#arrivals.set(key, arrival);
    }
    return arrival;
  }
}

/** What an upstream's failure means to those who ask here: its refusal of us is none of them. */
function upstreamFault(error: unknown, upstream: Upstream): Fault {
  const name = upstreamName(upstream);
  const fault = Fault.from(error);
  switch (fault.kind) {
    case "not-found":
    case "not-implemented":
      return fault;
    case "unauthenticated":
    case "permission-denied":
      return serverFaults.UPSTREAM_DENIED(name, fault.message).because(error);
    default:
      return serverFaults.UPSTREAM_UNAVAILABLE(name, fault.message).because(error);
  }
}
