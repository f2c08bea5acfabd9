import { Fault, KeyedMutex, type Logger, Semaphore } from "@hawser/base";
import { formatFamiliar, type Platform, parseReference, withDefaultTag } from "@hawser/oci";
import type { Image, ImageStore } from "@hawser/store";
import { type PullSource, type PullStore, pullImage } from "./pull-image.ts";

/** Images that the set-up makes from this machine's own programs, so that something runs where no registry answers. */
const builtinNames: ReadonlySet<string> = new Set(["hello-world:latest", "busybox:latest"]);

/** What the set-up marks them with. */
const builtinLabel = "io.hawser.builtin";

/** Whether an image is one that the set-up made. */
export function isBuiltin({ config }: Image): boolean {
  return config.execution.labels[builtinLabel] === "true";
}

export interface BuiltinImagesParts {
  /** The repository of a built-in image in this engine's mirror. */
  readonly source: (name: string) => Promise<PullSource>;
  readonly store: PullStore & { readonly images: Pick<ImageStore, "resolve"> };
  readonly hostPlatform: Platform;
  readonly log: Logger;
}

/** The built-in images, pulled from this engine's mirror when first asked for. */
export class BuiltinImages {
  readonly #parts: BuiltinImagesParts;
  readonly #pulling = new KeyedMutex();
  readonly #downloads = new Semaphore(1);

  constructor(parts: BuiltinImagesParts) {
    this.#parts = parts;
  }

  /**
   * The built-in image of that name, pulled now if it is not in the store; `undefined` when none has that name or the
   * set-up has not made it.
   *
   * @throws {Fault} `invalid-argument` for what is no reference; as `pullImage`.
   */
  async ensure(name: string): Promise<{ readonly image: Image; readonly isNew: boolean } | undefined> {
    const reference = withDefaultTag(parseReference(name));
    const text = formatFamiliar(reference);
    if (!builtinNames.has(text)) return undefined;
    return await this.#pulling.run(text, async () => {
      const existing = this.#find(text);
      if (existing !== undefined) return isBuiltin(existing) ? { image: existing, isNew: false } : undefined;
      const { source, store, hostPlatform, log } = this.#parts;
      const repository = await source(text.split(":", 1)[0] ?? "");
      try {
        const { image } = await pullImage(
          { repository, store, downloads: this.#downloads },
          {
            reference,
            platform: undefined,
            hostPlatform,
            names: "tag",
            // Whoever waits beside wants it when this one has left.
            signal: new AbortController().signal,
            report: () => {},
          },
        );
        log.info("built-in image pulled", { image: text, id: image.id });
        return { image, isNew: true };
      } catch (error) {
        if (Fault.is(error, "not-found")) return undefined;
        throw error;
      }
    });
  }

  #find(reference: string): Image | undefined {
    try {
      return this.#parts.store.images.resolve(reference);
    } catch {
      return undefined;
    }
  }
}
