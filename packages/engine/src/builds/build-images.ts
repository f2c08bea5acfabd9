import { Fault, type Logger } from "@hawser/base";
import type { BaseImage } from "@hawser/build";
import {
  type ChainId,
  formatReference,
  type Platform,
  parseReference,
  platformOfNode,
  platformsMatch,
  repositoryOf,
  withDefaultTag,
} from "@hawser/oci";
import type { RegistryAccess } from "@hawser/registry/client";
import type { BuildCache, Image, ImageStore } from "@hawser/store";
import type { PullEvent } from "../images/pull-image.ts";
import type { RemoteImages } from "../images/remote-images.ts";
import { type BuildSources, checkPinnedById, fullName } from "./build-sources.ts";
import { buildFaults } from "./faults.ts";
import { type LayoutBlobs, layoutScheme, parseLayoutReference, receiveLayoutImage } from "./layout-image.ts";

/** An image that is here. */
export interface ResolvedImage extends BaseImage {
  readonly chainId?: ChainId;
  /** Of its manifest or index, where it came by one. */
  readonly digest?: string;
}

/** Layers of an image that was asked about only. */
const notHere = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

export interface BuildImagesParts {
  readonly images: ImageStore;
  readonly cache: BuildCache;
  readonly registry: Pick<RemoteImages, "pull" | "fetch" | "readConfig">;
  readonly log: Logger;
}

export interface BuildImagesOptions {
  /** What images are asked for with. @param domain of the registry */
  readonly access: (domain: string) => Promise<RegistryAccess>;
  /** Told of what the build begins with; where it has pins, nothing else is used. */
  readonly sources?: BuildSources;
  /** Blobs of an OCI layout that the client lends; `undefined`: it lends none of that name. */
  readonly layout?: (store: string) => LayoutBlobs | undefined;
  /** Ask registries although an image is here. */
  readonly pull: boolean;
  /** An image that is here may be meant by how its id begins, as for the classic builder. Default: by a name alone. */
  readonly findsShortIds?: boolean;
  /** Does `look`, which looks for an image by its full name, and shows that and how far a pull is. Default: nothing is shown. */
  readonly showing?: ShowImage;
  readonly signal: AbortSignal;
}

export type ShowImage = <T>(
  name: string,
  look: (onPull: (event: PullEvent) => void) => Promise<T>,
) => Promise<T>;

const showNothing: ShowImage = (_name, look) => look(() => {});

/** The images that a build begins with. */
export class BuildImages {
  readonly #parts: BuildImagesParts;
  readonly #options: BuildImagesOptions;
  /** Keeps layers while the build goes on. */
  readonly #holds: Pick<DisposableStack, "use">;

  constructor(
    parts: BuildImagesParts,
    { holds, ...options }: BuildImagesOptions & { readonly holds: Pick<DisposableStack, "use"> },
  ) {
    this.#parts = parts;
    this.#options = options;
    this.#holds = holds;
  }

  /**
   * An image for a build, kept while it goes on: of the store, pulled where it is not here, or of a layout that the client lends
   * (`oci-layout://store@digest`).
   *
   * @throws {Fault} `not-found`, as a pull, as `receiveLayoutImage`
   */
  async resolve(
    reference: string,
    options: { readonly platform: Platform | undefined; readonly pull?: boolean },
  ): Promise<ResolvedImage> {
    if (reference.startsWith(layoutScheme)) return await this.#receiveLayout(reference, options);
    const { showing = showNothing } = this.#options;
    const { image, digest: named } = await showing(fullName(reference), (onPull) =>
      this.#findImage(reference, { ...options, onPull }),
    );
    const machine = options.platform ?? platformOfNode(process);
    this.#options.sources?.useImage(reference, image, { machine, digest: named });
    if (image.chainId !== undefined) this.#holds.use(this.#parts.images.layers.hold(image.chainId));
    this.#parts.log.debug("build uses an image", { reference, image: image.id });
    const { config, chainId } = image;
    const digest = digestOfName(image, reference);
    return { reference, config, ...(chainId !== undefined && { chainId }), ...(digest && { digest }) };
  }

  async #receiveLayout(
    reference: string,
    { platform: wanted }: { readonly platform: Platform | undefined },
  ): Promise<ResolvedImage> {
    const { store, digest } = parseLayoutReference(reference);
    const blobs = this.#options.layout?.(store);
    if (blobs === undefined) throw buildFaults.LAYOUT_ABSENT(store);
    const image = await receiveLayoutImage(blobs, this.#parts, {
      digest,
      platform: wanted ?? platformOfNode(process),
      signal: this.#options.signal,
      hold: (held) => this.#holds.use(held),
    });
    return { reference: `${layoutScheme}${store}@${image.digest}`, ...image };
  }

  /** What an image is, without its files. */
  async describe(reference: string, platform: Platform | undefined): Promise<BaseImage> {
    const found = this.#findLocal(reference);
    const isMeant = platform === undefined || (found !== undefined && platformsMatch(platform, found.config));
    if (found !== undefined && isMeant) return { reference, config: found.config, chainId: notHere };
    const { access, signal } = this.#options;
    const parsed = withDefaultTag(parseReference(reference));
    const options = { access: await access(parsed.domain), platform, signal };
    const config = await this.#parts.registry.readConfig(formatReference(parsed), options);
    return { reference, config, chainId: notHere };
  }

  #findLocal(reference: string): Image | undefined {
    const isName = this.#options.findsShortIds !== true && /^[0-9a-f]{1,11}$/.test(reference);
    const meant = isName ? `${reference}:latest` : reference;
    try {
      return this.#parts.images.resolve(meant);
    } catch (error) {
      if (Fault.is(error, "not-found")) return undefined;
      throw error;
    }
  }

  /** One that is here, or else from where there are images. */
  async #findImage(
    reference: string,
    {
      platform: machine,
      pull = false,
      onPull,
    }: {
      readonly platform: Platform | undefined;
      readonly pull?: boolean;
      readonly onPull: (event: PullEvent) => void;
    },
  ): Promise<FoundImage> {
    const { images, registry } = this.#parts;
    const { signal, access, sources } = this.#options;
    const pin = sources?.imagePin(reference, machine ?? platformOfNode(process));
    const byId = pin !== undefined && "id" in pin ? this.#findLocal(pin.id) : undefined;
    if (byId !== undefined) {
      checkPinnedById(reference, { image: byId, machine });
      return { image: byId };
    }
    const wanted = pin !== undefined && "digest" in pin ? atDigest(reference, pin.digest) : reference;
    if (pin !== undefined || (!pull && !this.#options.pull)) {
      const found = this.#findLocal(wanted);
      if (found !== undefined && (machine === undefined || platformsMatch(machine, found.config)))
        return { image: found };
    }
    const parsed = withDefaultTag(parseReference(wanted));
    const name = formatReference(parsed);
    const options = { access: await access(parsed.domain), platform: machine, signal };
    if (machine !== undefined && !platformsMatch(machine, platformOfNode(process))) {
      return await registry.fetch(name, { ...options, platform: machine });
    }
    for await (const event of registry.pull(name, options)) onPull(event);
    return { image: images.resolve(name) };
  }
}

interface FoundImage {
  readonly image: Image;
  /** What the name means at its registry, an index perhaps; absent: the image has it among its own names. */
  readonly digest?: string;
}

/** The digest that an image has by a name, where it came by that name. */
function digestOfName({ repoDigests }: Image, name: string): string | undefined {
  if (/^(sha256:)?[0-9a-f]{6,}$/.test(name)) return undefined;
  const { domain, path, digest } = parseReference(name);
  if (digest !== undefined) return digest;
  const found = repoDigests.map(parseReference).find((own) => own.domain === domain && own.path === path);
  return found?.digest;
}

/** The same repository's image of that digest. */
function atDigest(reference: string, digest: string): string {
  return `${formatReference(repositoryOf(parseReference(reference)))}@${digest}`;
}
