import { shownUrl } from "@hawser/base";
import {
  familiarName,
  formatPlatform,
  formatReference,
  type Platform,
  parseReference,
  platformsMatch,
  withDefaultTag,
} from "@hawser/oci";
import type { Image } from "@hawser/store";
import { buildFaults } from "./faults.ts";

/** What a build began with that is not with the user, by the names that the build has for it. */
export interface SourcePins {
  /** By name in full: `docker.io/library/busybox:latest`. */
  readonly images: Readonly<Record<string, ImagePins>>;
  /** By address: digests of what is there. */
  readonly files: Readonly<Record<string, string>>;
  /** By reference: ids of commits. */
  readonly repositories: Readonly<Record<string, string>>;
}

/** By the digest that its registry has for it; one that is here only, by its id. */
export type ImagePin = { readonly digest: string } | { readonly id: string };

/** What a name is; `platforms`: where that is not one thing for all of the build's. */
export type ImagePins = ImagePin | { readonly platforms: Readonly<Record<string, ImagePin>> };

/** What a name was for one platform. */
interface UsedImage {
  readonly id: string;
  /** Those that its registry may have for it. */
  readonly digests: readonly string[];
}

const digestPattern = /^sha256:[0-9a-f]{64}$/;

/** The sources of one build: notes what each is, and where there are pins, lets nothing else be used. */
export class BuildSources {
  readonly #pins: SourcePins | undefined;
  readonly #whole: BuildSources | undefined;
  /** By name, then by platform. */
  readonly #images = new Map<string, Map<string, UsedImage>>();
  readonly #files = new Map<string, string>();
  readonly #repositories = new Map<string, string>();

  /** @param whole is told of the same @throws {Fault} `invalid-argument` for pins that are none */
  constructor(pins?: SourcePins, whole?: BuildSources) {
    this.#pins = pins;
    this.#whole = whole;
    for (const [name, pin] of Object.entries(pins?.images ?? {})) {
      for (const one of "platforms" in pin ? Object.values(pin.platforms) : [pin]) {
        check(name, "digest" in one ? one.digest : one.id, digestPattern);
      }
    }
    for (const [url, digest] of Object.entries(pins?.files ?? {})) check(url, digest, digestPattern);
    for (const [reference, commit] of Object.entries(pins?.repositories ?? {})) {
      check(reference, commit, /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/);
    }
  }

  /** Of one result of the build: knows what that alone uses. */
  part(): BuildSources {
    return new BuildSources(this.#pins, this);
  }

  /** What has been used so far. */
  get used(): SourcePins {
    return {
      images: Object.fromEntries(this.#images.entries().map(([name, used]) => [name, pinsOf(used)])),
      files: Object.fromEntries(this.#files),
      repositories: Object.fromEntries(this.#repositories),
    };
  }

  /**
   * @param machine what the image has to be for
   * @returns `undefined`: any will do
   * @throws {Fault} `conflict` when the image may not be used
   */
  imagePin(reference: string, machine: Platform): ImagePin | undefined {
    const name = fullName(reference);
    const pin = this.#find("image", this.#pins?.images, name);
    if (pin === undefined || !("platforms" in pin)) return pin;
    const platform = formatPlatform(machine);
    return this.#find("image", pin.platforms, platform, `${name} for ${platform}`);
  }

  /**
   * @param options.machine what it is used for
   * @param options.digest what the name means at its registry; absent: the image has it among its names
   * @throws {Fault} `conflict` when it is another one than may be used
   */
  useImage(
    reference: string,
    image: Pick<Image, "id" | "repoDigests">,
    options: { readonly machine: Platform; readonly digest?: string | undefined },
  ): void {
    const { machine, digest } = options;
    const name = fullName(reference);
    const pin = this.imagePin(reference, machine);
    if (pin !== undefined && "id" in pin && pin.id !== image.id) {
      throw buildFaults.SOURCE_DRIFTED("image", name, { wanted: pin.id, found: image.id });
    }
    const found = digest === undefined ? digestsOf(name, image) : [digest];
    const digests = pin === undefined ? found : "digest" in pin ? [pin.digest] : [];
    const used = this.#images.get(name) ?? new Map<string, UsedImage>();
    this.#images.set(name, used.set(formatPlatform(machine), { id: image.id, digests }));
    this.#whole?.useImage(reference, image, options);
  }

  /** @throws {Fault} `conflict` when the file may not be used */
  filePin(url: string): string | undefined {
    return this.#find("file", this.#pins?.files, shownUrl(url));
  }

  useFile(url: string, digest: string): void {
    this.#files.set(shownUrl(url), digest);
    this.#whole?.useFile(url, digest);
  }

  /** @throws {Fault} `conflict` when the repository may not be used */
  repositoryPin(reference: string): string | undefined {
    return this.#find("repository", this.#pins?.repositories, shownUrl(reference));
  }

  useRepository(reference: string, commit: string): void {
    this.#repositories.set(shownUrl(reference), commit);
    this.#whole?.useRepository(reference, commit);
  }

  #find<Pin>(
    what: string,
    pins: Readonly<Record<string, Pin>> | undefined,
    name: string,
    shown = name,
  ): Pin | undefined {
    if (pins === undefined) return undefined;
    const pin = Object.hasOwn(pins, name) ? pins[name] : undefined;
    if (pin === undefined) throw buildFaults.SOURCE_UNPINNED(what, shown);
    return pin;
  }
}

/**
 * An image that is pinned by its id, as no registry has a digest for it, is for one platform alone.
 *
 * @param options.machine what it has to be for; absent: whatever it is for
 * @throws {Fault} `conflict` when it is for another
 */
export function checkPinnedById(
  reference: string,
  { image, machine }: { readonly image: Pick<Image, "config">; readonly machine: Platform | undefined },
): void {
  if (machine === undefined || platformsMatch(machine, image.config)) return;
  const [wanted, found] = [formatPlatform(machine), formatPlatform(image.config)];
  throw buildFaults.SOURCE_FOREIGN(fullName(reference), { wanted, found });
}

function check(name: string, pin: string, pattern: RegExp): void {
  if (!pattern.test(pin)) throw buildFaults.PIN_INVALID(name, pin.slice(0, 100));
}

/** A name with all its parts, as it is shown; an id stays one. */
export function fullName(reference: string): string {
  try {
    return formatReference(withDefaultTag(parseReference(reference)));
  } catch {
    return reference;
  }
}

/** A digest that does for all platforms, as an index's does; else what the name was for each. */
function pinsOf(used: ReadonlyMap<string, UsedImage>): ImagePins {
  const byPlatform = [...used].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const [first, ...others] = byPlatform.map(([, image]) => image);
  const common = first?.digests.find((one) => others.every(({ digests }) => digests.includes(one)));
  if (common !== undefined) return { digest: common };
  if (first !== undefined && others.length === 0) return { id: first.id };
  const pinOf = ({ id, digests: [digest] }: UsedImage): ImagePin =>
    digest === undefined ? { id } : { digest };
  return { platforms: Object.fromEntries(byPlatform.map(([platform, image]) => [platform, pinOf(image)])) };
}

function digestsOf(name: string, { repoDigests }: Pick<Image, "repoDigests">): readonly string[] {
  try {
    const parsed = parseReference(name);
    if (parsed.digest !== undefined) return [parsed.digest];
    const prefix = `${familiarName(parsed)}@`;
    return repoDigests.filter((text) => text.startsWith(prefix)).map((text) => text.slice(prefix.length));
  } catch {
    return [];
  }
}
