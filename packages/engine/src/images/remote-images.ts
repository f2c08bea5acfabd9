import { Fault, Semaphore } from "@hawser/base";
import {
  familiarName,
  formatFamiliar,
  formatReference,
  type ImageConfig,
  type Platform,
  parseImageConfig,
  parseManifest,
  parseReference,
  type Reference,
  repositoryOf,
  withDefaultTag,
} from "@hawser/oci";
import type {
  Credentials,
  FoundRepository,
  RegistryAccess,
  RegistryClient,
  Repository,
} from "@hawser/registry/client";
import type { Image, Store } from "@hawser/store";
import type { EventBus } from "../events/event-bus.ts";
import type { ReachEngineStep } from "../steps.ts";
import { checkPlatform } from "./check-platform.ts";
import type { EmbeddedMirror } from "./embedded-mirror.ts";
import { imageFaults } from "./faults.ts";
import { type PullEvent, type PullSource, pullImage, readRemoteConfig } from "./pull-image.ts";
import { type PushEvent, type PushedManifest, pushImage } from "./push-image.ts";
import { type PlatformImage, pushIndex } from "./push-index.ts";
import { pullFault, registryFault } from "./registry-words.ts";
import { TransferFeed } from "./transfer-feed.ts";

export interface RemoteImagesParts {
  readonly client: RegistryClient;
  readonly store: Pick<Store, "images" | "maker" | "content">;
  readonly events: EventBus;
  /** A copy of a repository in this engine's mirror; `undefined`: its registry is asked. */
  readonly mirror: Pick<EmbeddedMirror, "find">;
  /** The built-in image of a name, if there is one. */
  readonly builtin: (name: string) => Promise<{ readonly image: Image; readonly isNew: boolean } | undefined>;
  readonly hostPlatform: Platform;
  readonly maxDownloads: number;
  readonly maxUploads: number;
  readonly reach: ReachEngineStep;
}

export interface PullOptions {
  readonly access: RegistryAccess;
  readonly platform?: Platform | undefined;
  readonly signal: AbortSignal;
}

/** What is in a registry, without getting it. */
export interface DistributedImage {
  readonly mediaType: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly platforms: readonly Platform[];
}

/** Images between this engine and registries. */
export class RemoteImages {
  readonly #parts: RemoteImagesParts;
  readonly #downloads: Semaphore;
  readonly #uploads: Semaphore;

  constructor(parts: RemoteImagesParts) {
    this.#parts = parts;
    this.#downloads = new Semaphore(parts.maxDownloads);
    this.#uploads = new Semaphore(parts.maxUploads);
  }

  /** How many layers may be on their way at once, from now on. */
  resize(limits: { readonly maxDownloads: number; readonly maxUploads: number }): void {
    this.#downloads.resize(limits.maxDownloads);
    this.#uploads.resize(limits.maxUploads);
  }

  /**
   * Get an image, or, when `name` has neither tag nor digest, all of a repository. A built-in image comes before the
   * registry's of the same name.
   *
   * @throws {Fault} Docker's words
   */
  pull(name: string, options: PullOptions): AsyncGenerator<PullEvent, void, undefined> {
    const feed = new TransferFeed<PullEvent>(() => performance.now());
    const report = (event: PullEvent) => {
      const progress = progressOf(event);
      if (progress === undefined) feed.put(event);
      else feed.putProgress(event, progress);
    };
    return feed.during((signal) => this.#pull(name, { ...options, signal }, report), options.signal);
  }

  /**
   * Give an image to its registry, or, without a tag, all that are called by the name.
   *
   * @param name a repository
   * @throws {Fault} Docker's words
   */
  push(
    name: string,
    options: {
      readonly tag: string;
      readonly access: RegistryAccess;
      /** What its images have to be for; they go without what is said of them then. */
      readonly platform?: Platform | undefined;
      readonly signal: AbortSignal;
    },
  ): AsyncGenerator<PushEvent, void, undefined> {
    const reference = parseReference(name);
    if (reference.digest !== undefined) throw imageFaults.PUSH_DIGEST();
    const feed = new TransferFeed<PushEvent>(() => performance.now());
    const report = (event: PushEvent) => {
      const news = event.kind === "layer" ? event.news : undefined;
      if (news?.kind !== "pushing") return feed.put(event);
      const isComplete = news.currentBytes === news.totalBytes;
      feed.putProgress(event, { key: event.kind === "layer" ? event.diffId : "", isComplete });
    };
    const tag = options.tag === "" ? reference.tag : options.tag;
    const wanted = tag === undefined ? reference : { ...reference, tag };
    for (const tagged of this.#parts.store.images.tagsOf(wanted)) {
      if (wanted.tag !== undefined && tagged.reference.tag !== wanted.tag) continue;
      checkPlatform(tagged.image, {
        reference: formatFamiliar(tagged.reference),
        wanted: options.platform,
      });
    }
    return feed.during((signal) => this.#push(wanted, { ...options, signal, report }), options.signal);
  }

  /**
   * Get an image for a machine that is not this one, which takes no name from an image that is here.
   *
   * @throws {Fault} as `pull`
   */
  async fetch(
    name: string,
    { access, platform, signal }: PullOptions & { readonly platform: Platform },
  ): Promise<{ readonly image: Image; readonly digest?: string }> {
    const reference = parseReference(name);
    const { store, hostPlatform } = this.#parts;
    try {
      const repository = await this.#source(reference, { access, signal });
      let digest: string | undefined;
      const report = (event: PullEvent) => {
        if (event.kind === "pulled") digest = event.digest;
      };
      const { image } = await pullImage(
        { repository, store, downloads: this.#downloads },
        { reference, platform, hostPlatform, names: "digest", signal, report },
      );
      return { image, ...(digest !== undefined && { digest }) };
    } catch (error) {
      throw pullFault(error, reference);
    }
  }

  /**
   * Give images for several machines to a registry, as one under one tag.
   *
   * @throws {Fault} the registry's words
   */
  async pushIndex(
    name: string,
    images: readonly PlatformImage[],
    { access, signal }: Pick<PullOptions, "access" | "signal">,
  ): Promise<PushedManifest> {
    const reference = withDefaultTag(parseReference(name));
    const { store, client } = this.#parts;
    try {
      const repository = await client.repository(reference, access);
      return await pushIndex(
        { repository, store, uploads: this.#uploads, reach: this.#parts.reach },
        { images, reference, signal },
      );
    } catch (error) {
      throw registryFault(error);
    }
  }

  /** A repository, for what is no image. Its faults are the registry's words. */
  async openRepository(reference: Reference, access: RegistryAccess): Promise<Repository> {
    return await this.#parts.client.repository(reference, access);
  }

  /** @throws {Fault} `unauthenticated` for wrong credentials; `unavailable` */
  async login(
    domain: string,
    credentials: Credentials,
    signal: AbortSignal,
  ): Promise<{ readonly identityToken?: string }> {
    return await this.#parts.client.login(domain, credentials, { signal });
  }

  /** @throws {Fault} the registry's words */
  async describe(
    name: string,
    { access, signal }: Pick<PullOptions, "access" | "signal">,
  ): Promise<DistributedImage> {
    const reference = parseReference(name);
    try {
      const repository = await this.#parts.client.repository(reference, access);
      const fetched = await repository.getManifest(reference.digest ?? reference.tag ?? "latest", { signal });
      const { mediaType, digest, bytes } = fetched;
      const manifest = parseManifest(bytes);
      const platforms =
        manifest.kind === "index"
          ? manifest.manifests.flatMap(({ platform }) => platform ?? [])
          : await platformOf(repository, manifest.config, signal);
      return { mediaType, digest, sizeBytes: bytes.length, platforms };
    } catch (error) {
      throw registryFault(error);
    }
  }

  /** The configuration of an image, without getting its layers. @throws {Fault} Docker's words */
  async readConfig(name: string, options: PullOptions): Promise<ImageConfig> {
    const reference = parseReference(name);
    const { access, platform, signal } = options;
    const builtin = platform === undefined ? await this.#parts.builtin(name) : undefined;
    if (builtin !== undefined) return builtin.image.config;
    try {
      const repository = await this.#source(reference, { access, signal });
      const { hostPlatform } = this.#parts;
      return await readRemoteConfig(repository, { reference, platform, hostPlatform, signal });
    } catch (error) {
      throw pullFault(error, reference);
    }
  }

  /**
   * Repositories that a registry has: `term`, or `host/term`; without a host Docker Hub's.
   *
   * @throws {Fault} `not-implemented` when it cannot be searched; the registry's words
   */
  async search(
    text: string,
    options: { readonly limit: number; readonly access: RegistryAccess; readonly signal: AbortSignal },
  ): Promise<readonly FoundRepository[]> {
    const [, domain = "docker.io", term = ""] = /^(?:([^/]*[.:][^/]*|localhost)\/)?(.*)$/s.exec(text) ?? [];
    const wanted = domain === "docker.io" ? term.replace(/^library\//, "") : term;
    try {
      return await this.#parts.client.search(domain, { ...options, term: wanted });
    } catch (error) {
      throw registryFault(error);
    }
  }

  async #pull(name: string, options: PullOptions, report: (event: PullEvent) => void): Promise<void> {
    const reference = parseReference(name);
    const builtin = options.platform === undefined ? await this.#parts.builtin(name) : undefined;
    if (builtin !== undefined) {
      const text = formatFamiliar({ ...reference, tag: reference.tag ?? "latest" });
      this.#publish("pull", builtin.image, { id: text, name: familiarName(reference) });
      return report({ kind: "built-in", reference: text, isNew: builtin.isNew });
    }
    try {
      let isNew = false;
      for (const one of await this.#listWanted(reference, options)) {
        const source = await this.#source(one, options);
        const result = await this.#pullOne(source, one, { ...options, report });
        isNew ||= result.isNew;
      }
      report({ kind: "finished", reference: formatFamiliar(reference), isNew });
    } catch (error) {
      throw pullFault(error, reference);
    }
  }

  /** What was asked for: one image, or, without tag and digest, all of a repository. */
  async #listWanted(
    reference: Reference,
    { access, signal }: Pick<PullOptions, "access" | "signal">,
  ): Promise<readonly Reference[]> {
    if (reference.tag !== undefined || reference.digest !== undefined) return [reference];
    const repository = await this.#parts.client.repository(reference, access);
    const tags = await repository.listTags({ signal });
    return tags.map((tag) => ({ ...reference, tag }));
  }

  /** Where an image is pulled from: this engine's mirror when that has or gets it, else its registry, with the user's credentials. */
  async #source(
    reference: Reference,
    { access, signal }: Pick<PullOptions, "access" | "signal">,
  ): Promise<PullSource> {
    const copy = await this.#parts.mirror.find(reference);
    if (copy !== undefined) {
      try {
        await copy.getManifest(reference.digest ?? reference.tag ?? "latest", { signal });
        return copy;
      } catch (error) {
        if (!Fault.is(error)) throw error;
      }
    }
    return await this.#parts.client.repository(reference, access);
  }

  async #push(
    reference: Reference,
    options: {
      readonly access: RegistryAccess;
      readonly platform?: Platform | undefined;
      readonly signal: AbortSignal;
      readonly report: (event: PushEvent) => void;
    },
  ): Promise<void> {
    const { store, client } = this.#parts;
    const { access, platform, signal, report } = options;
    const name = familiarName(reference);
    report({ kind: "pushing", repository: formatReference(repositoryOf(reference)) });
    const tags = store.images.tagsOf(reference);
    if (tags.length === 0) throw imageFaults.PUSH_NO_IMAGE(name);
    const wanted = tags.filter((tag) => reference.tag === undefined || tag.reference.tag === reference.tag);
    if (wanted.length === 0) throw imageFaults.PUSH_NO_TAG(formatFamiliar(reference));
    try {
      const repository = await client.repository(reference, access);
      for (const { reference: tagged, image, attested: index } of wanted) {
        // Whoever asks for a platform's gets that alone, as with Docker.
        const attested = platform === undefined ? index : undefined;
        await pushImage(
          { repository, store, uploads: this.#uploads, reach: this.#parts.reach },
          { image: image.id, reference: tagged, attested, signal, report },
        );
        this.#publish("push", image, { id: formatFamiliar(tagged), name });
      }
    } catch (error) {
      throw registryFault(error);
    }
  }

  async #pullOne(
    repository: PullSource,
    reference: Reference,
    options: PullOptions & { readonly report: (event: PullEvent) => void },
  ): Promise<{ readonly isNew: boolean }> {
    const { platform, signal, report } = options;
    const { store, hostPlatform } = this.#parts;
    const result = await pullImage(
      { repository, store, downloads: this.#downloads },
      { reference, platform, hostPlatform, signal, report },
    );
    this.#publish("pull", result.image, { id: formatFamiliar(reference), name: familiarName(reference) });
    return result;
  }

  #publish(
    action: "pull" | "push",
    image: Image,
    { id, name }: { readonly id: string; readonly name: string },
  ): void {
    const attributes = { ...image.config.execution.labels, name };
    this.#parts.events.publish({ type: "image", action, actor: { id, attributes } });
  }
}

async function platformOf(
  repository: Repository,
  config: Parameters<Repository["readBlob"]>[0],
  signal: AbortSignal,
): Promise<readonly Platform[]> {
  const { os, architecture, variant } = parseImageConfig(await repository.readBlob(config, { signal }));
  return [{ os, architecture, ...(variant !== undefined && { variant }) }];
}

function progressOf(event: PullEvent) {
  if (event.kind !== "layer") return undefined;
  const { news } = event;
  if (news.kind !== "downloading" && news.kind !== "extracting") return undefined;
  return { key: `${news.kind} ${event.digest}`, isComplete: news.currentBytes === news.totalBytes };
}
