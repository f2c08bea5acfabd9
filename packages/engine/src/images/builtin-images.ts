import { createReadStream } from "node:fs";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { KeyedMutex, type Logger } from "@hawser/base";
import { formatFamiliar, parseReference, withDefaultTag } from "@hawser/oci";
import type { Image, ImageStore } from "@hawser/store";

/** Images that the set-up makes from this machine's own programs, so that something runs where no registry answers. */
const builtinNames: ReadonlySet<string> = new Set(["hello-world:latest", "busybox:latest"]);

/** What the set-up marks them with. */
const builtinLabel = "io.hawser.builtin";

/** Whether an image is one that the set-up made. */
export function isBuiltin({ config }: Image): boolean {
  return config.execution.labels[builtinLabel] === "true";
}

/** The archives of the built-in images: `<folder>/hello-world.tar` and so on, loaded when first asked for. */
export class BuiltinImages {
  readonly #folder: string;
  readonly #images: Pick<ImageStore, "load" | "resolve">;
  readonly #log: Logger;
  readonly #loading = new KeyedMutex();

  constructor(parts: {
    readonly folder: string;
    readonly images: Pick<ImageStore, "load" | "resolve">;
    readonly log: Logger;
  }) {
    this.#folder = parts.folder;
    this.#images = parts.images;
    this.#log = parts.log;
  }

  /**
   * The built-in image of that name, loaded now if it is not in the store; `undefined` when none has that name or the
   * set-up has not made it.
   *
   * @throws {Fault} `invalid-argument` for what is no reference; what loading throws.
   */
  async ensure(name: string): Promise<{ readonly image: Image; readonly isNew: boolean } | undefined> {
    const reference = formatFamiliar(withDefaultTag(parseReference(name)));
    if (!builtinNames.has(reference)) return undefined;
    return await this.#loading.run(reference, async () => {
      const existing = this.#find(reference);
      if (existing !== undefined) return isBuiltin(existing) ? { image: existing, isNew: false } : undefined;
      const path = join(this.#folder, `${reference.split(":", 1)[0]}.tar`);
      const isThere = await access(path).then(
        () => true,
        () => false,
      );
      if (!isThere) return undefined;
      for await (const _ of this.#images.load(createReadStream(path)));
      const image = this.#find(reference);
      if (image === undefined) return undefined;
      this.#log.info("built-in image loaded", { image: reference, id: image.id });
      return { image, isNew: true };
    });
  }

  #find(reference: string): Image | undefined {
    try {
      return this.#images.resolve(reference);
    } catch {
      return undefined;
    }
  }
}
