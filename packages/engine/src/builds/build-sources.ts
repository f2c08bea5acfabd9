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
import { shownUrl } from "./download.ts";
import { buildFaults } from "./faults.ts";

/** What a build began with that is not with the user, by the names that the build has for it. */
export interface SourcePins {
  /** By name in full: `docker.io/library/busybox:latest`. */
  readonly images: Readonly<Record<string, ImagePin>>;
  /** By address: digests of what is there. */
  readonly files: Readonly<Record<string, string>>;
  /** By reference: ids of commits. */
  readonly repositories: Readonly<Record<string, string>>;
}

/** By the digest that its registry has for it; one that is here only, by its id. */
export type ImagePin = { readonly digest: string } | { readonly id: string };

const digestPattern = /^sha256:[0-9a-f]{64}$/;

/** The sources of one build: notes what each is, and where there are pins, lets nothing else be used. */
export class BuildSources {
  readonly #pins: SourcePins | undefined;
  readonly #whole: BuildSources | undefined;
  readonly #images = new Map<string, ImagePin>();
  /** Names whose meaning a registry has told. */
  readonly #indexes = new Set<string>();
  readonly #files = new Map<string, string>();
  readonly #repositories = new Map<string, string>();

  /** @param whole is told of the same @throws {Fault} `invalid-argument` for pins that are none */
  constructor(pins?: SourcePins, whole?: BuildSources) {
    this.#pins = pins;
    this.#whole = whole;
    for (const [name, pin] of Object.entries(pins?.images ?? {})) {
      check(name, "digest" in pin ? pin.digest : pin.id, digestPattern);
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
      images: Object.fromEntries(this.#images),
      files: Object.fromEntries(this.#files),
      repositories: Object.fromEntries(this.#repositories),
    };
  }

  /** @returns `undefined`: any will do. @throws {Fault} `conflict` when the image may not be used */
  imagePin(reference: string): ImagePin | undefined {
    return this.#find("image", this.#pins?.images, fullName(reference));
  }

  /**
   * @param digest what the name means at its registry, for all platforms; absent: the image has it among its names
   * @throws {Fault} `conflict` when it is another one than may be used
   */
  useImage(reference: string, image: Pick<Image, "id" | "repoDigests">, digest?: string): void {
    const name = fullName(reference);
    const pin = this.#pins?.images[name];
    if (pin !== undefined && "id" in pin && pin.id !== image.id) {
      throw buildFaults.SOURCE_DRIFTED("image", name, { wanted: pin.id, found: image.id });
    }
    if (digest !== undefined) this.#indexes.add(name);
    // What is for all platforms does for an image that has other names here, too.
    const isKnown = digest === undefined && this.#indexes.has(name);
    if (pin !== undefined || !isKnown) {
      this.#images.set(name, pin ?? (digest === undefined ? pinOf(name, image) : { digest }));
    }
    this.#whole?.useImage(reference, image, digest);
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

  #find<Pin>(what: string, pins: Readonly<Record<string, Pin>> | undefined, name: string): Pin | undefined {
    if (pins === undefined) return undefined;
    const pin = Object.hasOwn(pins, name) ? pins[name] : undefined;
    if (pin === undefined) throw buildFaults.SOURCE_UNPINNED(what, name);
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

/** An id stays one. */
function fullName(reference: string): string {
  try {
    return formatReference(withDefaultTag(parseReference(reference)));
  } catch {
    return reference;
  }
}

function pinOf(name: string, { id, repoDigests }: Pick<Image, "id" | "repoDigests">): ImagePin {
  try {
    const parsed = parseReference(name);
    if (parsed.digest !== undefined) return { digest: parsed.digest };
    const prefix = `${familiarName(parsed)}@`;
    const found = repoDigests.find((text) => text.startsWith(prefix));
    return found === undefined ? { id } : { digest: found.slice(prefix.length) };
  } catch {
    return { id };
  }
}
