import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ClientTls } from "@hawser/api/client";
import { errnoOf } from "@hawser/base";
import { cliFaults } from "../faults.ts";
import { compareNaturally } from "../format/natural-order.ts";

/** An engine that has a name. */
export interface StoredContext {
  readonly name: string;
  readonly description: string;
  readonly endpoint: { readonly host: string; readonly skipTlsVerify: boolean };
}

/** Files of a context's TLS material, by the names that they have in the store. */
export type TlsFiles = Readonly<Record<string, Buffer>>;

export const tlsFileNames = ["ca.pem", "cert.pem", "key.pem"] as const;

/**
 * Docker's store of contexts, which both clients read and write:
 *
 *     <config>/contexts/meta/<sha256 of the name>/meta.json
 *     <config>/contexts/tls/<sha256 of the name>/docker/{ca,cert,key}.pem
 */
export class ContextStore {
  readonly #root: string;

  constructor(configDir: string) {
    this.#root = join(configDir, "contexts");
  }

  metaFolder(name: string): string {
    return join(this.#root, "meta", idOf(name));
  }

  tlsFolder(name: string): string {
    return join(this.#root, "tls", idOf(name));
  }

  /** By name. What cannot be read is left out. */
  list(): readonly StoredContext[] {
    let ids: readonly string[];
    try {
      ids = readdirSync(join(this.#root, "meta"));
    } catch {
      return [];
    }
    const contexts = ids.flatMap((id) => {
      try {
        return parseMeta(readFileSync(join(this.#root, "meta", id, "meta.json"), "utf8")) ?? [];
      } catch {
        return [];
      }
    });
    return contexts.toSorted((a, b) => compareNaturally(a.name, b.name));
  }

  has(name: string): boolean {
    return this.#readMeta(name) !== undefined;
  }

  /** @throws {Fault} `not-found`, in Docker's words; `invalid-argument` for what is no context */
  read(name: string): StoredContext {
    const path = join(this.metaFolder(name), "meta.json");
    const text = this.#readMeta(name);
    if (text === undefined)
      throw cliFaults.CONTEXT_NOT_FOUND(name, `open ${path}: no such file or directory`);
    const context = parseMeta(text);
    if (context === undefined) throw cliFaults.CONTEXT_UNREADABLE(name, path);
    return context;
  }

  /** @param tls what it has from now on; absent: what it had */
  write(context: StoredContext, tls?: TlsFiles): void {
    const folder = this.metaFolder(context.name);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    if (tls !== undefined) {
      rmSync(this.tlsFolder(context.name), { recursive: true, force: true });
      const files = join(this.tlsFolder(context.name), "docker");
      if (Object.keys(tls).length > 0) mkdirSync(files, { recursive: true, mode: 0o700 });
      for (const [name, bytes] of Object.entries(tls))
        writeFileSync(join(files, name), bytes, { mode: 0o600 });
    }
    writeFileSync(join(folder, "meta.json"), formatMeta(context), { mode: 0o644 });
  }

  remove(name: string): void {
    rmSync(this.metaFolder(name), { recursive: true, force: true });
    rmSync(this.tlsFolder(name), { recursive: true, force: true });
  }

  tlsFiles(name: string): TlsFiles {
    return Object.fromEntries(
      tlsFileNames.flatMap((file) => {
        const bytes = readIfThere(join(this.tlsFolder(name), "docker", file));
        return bytes === undefined ? [] : [[file, bytes]];
      }),
    );
  }

  /** `undefined`: it has nothing to do with TLS. */
  readTls(name: string, { insecure }: { readonly insecure: boolean }): ClientTls | undefined {
    const { "ca.pem": authority, "cert.pem": certificate, "key.pem": key } = this.tlsFiles(name);
    if (!insecure && [authority, certificate, key].every((file) => file === undefined)) return undefined;
    return {
      insecure,
      ...(authority && { authority }),
      ...(certificate && { certificate }),
      ...(key && { key }),
    };
  }

  #readMeta(name: string): string | undefined {
    return readIfThere(join(this.metaFolder(name), "meta.json"))?.toString();
  }
}

/** @throws {Fault} `invalid-argument`, in Docker's words */
export function checkContextName(name: string): void {
  if (name === "") throw cliFaults.VALUE_INVALID("context name cannot be empty");
  if (name === "default") throw cliFaults.VALUE_INVALID('"default" is a reserved context name');
  const pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$";
  if (!new RegExp(pattern).test(name)) {
    throw cliFaults.VALUE_INVALID(
      `context name "${name}" is invalid, names are validated against regexp "${pattern}"`,
    );
  }
}

/** `undefined` for what is no context. */
export function parseMeta(text: string): StoredContext | undefined {
  let value: MetaJson | null;
  try {
    value = JSON.parse(text) as MetaJson | null;
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || typeof value?.Name !== "string") return undefined;
  const { docker } = value.Endpoints ?? {};
  const description = value.Metadata?.Description;
  return {
    name: value.Name,
    description: typeof description === "string" ? description : "",
    endpoint: {
      host: typeof docker?.Host === "string" ? docker.Host : "",
      skipTlsVerify: docker?.SkipTLSVerify === true,
    },
  };
}

/** As it comes from a file: anything may be missing, or something else. */
interface MetaJson {
  readonly Name?: unknown;
  readonly Metadata?: { readonly Description?: unknown };
  readonly Endpoints?: { readonly docker?: { readonly Host?: unknown; readonly SkipTLSVerify?: unknown } };
}

export function formatMeta(context: StoredContext): string {
  return JSON.stringify(metaOf(context));
}

/** Docker's names for it. */
export function metaOf({ name, description, endpoint }: StoredContext) {
  return {
    Name: name,
    Metadata: description === "" ? {} : { Description: description },
    Endpoints: {
      docker: {
        ...(endpoint.host !== "" && { Host: endpoint.host }),
        SkipTLSVerify: endpoint.skipTlsVerify,
      },
    },
  };
}

function idOf(name: string): string {
  return createHash("sha256").update(name).digest("hex");
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
    throw error;
  }
}
