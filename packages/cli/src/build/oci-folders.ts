import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { valueError } from "../options/value-error.ts";
import type { Session } from "../session.ts";

/** What an index of an OCI layout has. Nothing of it is known to be what it says. */
export interface IndexEntry {
  readonly digest?: unknown;
  readonly annotations?: Readonly<Record<string, unknown>>;
}

export const tagName = "org.opencontainers.image.ref.name";

/** Empty: there is none, or none that anybody could read. */
export async function readIndex(folder: string): Promise<readonly IndexEntry[]> {
  try {
    const { manifests } = JSON.parse(await readFile(join(folder, "index.json"), "utf8")) as {
      manifests?: unknown;
    };
    return Array.isArray(manifests)
      ? manifests.filter((entry): entry is IndexEntry => typeof entry === "object" && entry !== null)
      : [];
  } catch {
    return [];
  }
}

/** The digest that a layout has under a tag. */
export async function findTag(folder: string, tag: string): Promise<string | undefined> {
  const entry = (await readIndex(folder)).find(({ annotations }) => annotations?.[tagName] === tag);
  return typeof entry?.digest === "string" ? entry.digest : undefined;
}

/**
 * A blob of a folder that is lent, by the name that the engine asks for (`<place>/<digest>`); `undefined`: it was not lent.
 *
 * @param lent folders by their places
 */
export function openLentBlob(
  lent: ReadonlyMap<string, string>,
  name: string,
): AsyncIterable<Uint8Array> | undefined {
  const [, place = "", algorithm = "", hex = ""] = /^([^/]*)\/(sha256|sha512):([0-9a-f]+)$/.exec(name) ?? [];
  const folder = lent.get(decoded(place));
  return folder === undefined ? undefined : createReadStream(join(folder, "blobs", algorithm, hex));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

/** Contexts that are OCI layouts, as the engine is told of them, and what the session serves of them. */
export interface LentLayouts {
  /** By the contexts' names: `oci-layout://<store>@<digest>`. */
  readonly contexts: ReadonlyMap<string, string>;
  /** Folders by the names that the engine asks for. */
  readonly lent: ReadonlyMap<string, string>;
}

const scheme = "oci-layout://";

export function isLayout(place: string): boolean {
  return place.startsWith(scheme);
}

/**
 * `--build-context name=oci-layout://folder[:tag][@digest]`, as buildx has it: without a digest the image is the one of the tag, of
 * `latest` where none is given, or the only one there is.
 *
 * @throws {Fault} `invalid-argument`
 */
export async function openLayouts(
  session: Pick<Session, "workingDir">,
  named: readonly (readonly [name: string, place: string])[],
): Promise<LentLayouts> {
  const contexts = new Map<string, string>();
  const lent = new Map<string, string>();
  for (const [at, [name, place]] of named.filter(([, one]) => isLayout(one)).entries()) {
    const [, path = "", tag, digest] =
      /^(.*?)(?::([\w][\w.-]*))?(?:@(sha(?:256|512):[0-9a-f]+))?$/s.exec(place.slice(scheme.length)) ?? [];
    if (path === "") throw valueError(`invalid context value: ${name}=${place}`);
    const folder = resolve(session.workingDir, path);
    const found = digest ?? (await findTag(folder, tag ?? "latest")) ?? (await findOnly(folder, tag));
    if (found === undefined) {
      throw valueError(`invalid context value: ${name}=${place}: no image of that tag in ${path}/index.json`);
    }
    const store = `${name.replaceAll(/[^\w-]/g, "-")}.${at}`;
    contexts.set(name, `${scheme}${store}@${found}`);
    lent.set(`oci:${store}`, folder);
  }
  return { contexts, lent };
}

async function findOnly(folder: string, tag: string | undefined): Promise<string | undefined> {
  if (tag !== undefined) return undefined;
  const [only, ...others] = await readIndex(folder);
  return typeof only?.digest === "string" && others.length === 0 ? only.digest : undefined;
}
