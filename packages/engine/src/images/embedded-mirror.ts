import type { Logger } from "@hawser/base";
import type { Reference } from "@hawser/oci";
import type { RegistryClient } from "@hawser/registry/client";
import type { Mirror } from "@hawser/registry/server";
import type { PullSource } from "./pull-image.ts";

/** Where the mirror has the built-in images: no registry's repositories can be called so by its other names. */
const builtinPrefix = "hawser.builtin";

/** How long a tag of a registry is believed to mean the same. */
const freshMs = 60_000;
/** What nobody has wanted for so long goes. */
const keepMs = 7 * 24 * 3_600_000;

export interface EmbeddedMirrorParts {
  /** The folder that it has for itself. */
  readonly root: string;
  /** Folder of the built-in images' archives. */
  readonly builtinDir: string;
  /** Registries that it keeps copies of, as references name them. */
  readonly registries: readonly string[];
  /** Where other engines may pull from it. */
  readonly listen?: { readonly host: string; readonly port: number };
  /** For what it does not have yet. It asks without credentials: whatever it has, everybody may have. */
  readonly client: RegistryClient;
  readonly log: Logger;
}

/**
 * This engine's own registry of copies: of the built-in images' archives, and of the registries that the configuration says.
 * Opened when something is first wanted of it, or when it listens.
 */
export class EmbeddedMirror implements AsyncDisposable {
  readonly #parts: EmbeddedMirrorParts;
  #opening: Promise<Mirror> | undefined;

  constructor(parts: EmbeddedMirrorParts) {
    this.#parts = parts;
  }

  /** Answer other engines, if the configuration says where. @returns the address */
  async listen(): Promise<string | undefined> {
    return this.#parts.listen === undefined ? undefined : (await this.#open()).url;
  }

  /** The repository of a built-in image, which may have nothing in it. @param name `busybox` */
  async builtin(name: string): Promise<PullSource> {
    return (await this.#open()).repository(`${builtinPrefix}/${name}`);
  }

  /** The copy of a repository; `undefined`: no copies of its registry are kept. */
  async find({ domain, path }: Pick<Reference, "domain" | "path">): Promise<PullSource | undefined> {
    if (!this.#parts.registries.includes(domain)) return undefined;
    const prefix = prefixOf(domain);
    return (await this.#open()).repository(prefix === "" ? path : `${prefix}/${path}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opening = this.#opening;
    this.#opening = Promise.reject(new Error("the mirror is closed"));
    this.#opening.catch(() => {});
    const mirror = await opening?.catch(() => undefined);
    await mirror?.[Symbol.asyncDispose]();
  }

  #open(): Promise<Mirror> {
    this.#opening ??= this.#openOnce().catch((error: unknown) => {
      this.#opening = undefined; // the next one may have more luck
      throw error;
    });
    return this.#opening;
  }

  async #openOnce(): Promise<Mirror> {
    const { root, builtinDir, registries, listen, client, log } = this.#parts;
    // Most engines' lives go by without it.
    const { openMirror } = await import("@hawser/registry/server");
    return await openMirror({
      root,
      pullThrough: {
        upstreams: [
          { prefix: builtinPrefix, archives: builtinDir },
          ...registries.map((registry) => ({ prefix: prefixOf(registry), registry })),
        ],
        client,
        freshMs,
        keepMs,
      },
      ...(listen && { listen }),
      log,
    });
  }
}

/** Docker Hub's repositories are called as there, which is what `registry-mirrors` of an engine wants; others' are below their registry's name. */
function prefixOf(registry: string): string {
  return registry === "docker.io" ? "" : registry.replace(":", "_").toLowerCase();
}
