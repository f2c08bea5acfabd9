import { validateHeaderName, validateHeaderValue } from "node:http";
import { dirname, resolve } from "node:path";
import type { Fault } from "@hawser/base";
import { parse } from "smol-toml";
import { readClientCertificate } from "./client-certificate.ts";
import { registryFaults } from "./faults.ts";
import { allCapabilities, type HostCapabilities, type RegistryHost } from "./host.ts";
import type { TlsSettings } from "./transport.ts";

/**
 * The hosts of a `hosts.toml` as containerd reads it, in the file's order, then the registry itself (`server`).
 * containerd, hosts.md:
 *
 *     server = "https://registry-1.docker.io"
 *     [host."https://mirror.example:5000"]
 *       capabilities = ["pull", "resolve"]
 *       ca = "ca.pem"   client = [["cert.pem", "key.pem"]]   skip_verify = true   override_path = true
 *       [host."https://mirror.example:5000".header]
 *         authorization = "Basic ..."
 *
 * @throws {Fault} `invalid-argument`
 */
export async function parseHostsFile(
  text: string,
  options: {
    readonly path: string;
    /** What counts where the file says nothing of the registry itself. */
    readonly origin: RegistryHost;
    /** Docker Hub's host, which stands for `docker.io`. */
    readonly hubHost: string;
    readonly readText: (path: string) => Promise<string>;
  },
): Promise<readonly RegistryHost[]> {
  const { path, origin } = options;
  const file = new HostsTable(parseToml(text, path), { path, where: "" });
  const read = async (name: string, table: HostsTable, isOrigin: boolean): Promise<RegistryHost> => {
    const url = hostUrl(name, options);
    const base = `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
    // Loopback and hosts without a scheme may do without TLS.
    const override = table.boolean("override_path");
    return {
      bases: [override || base.endsWith("/v2") ? base : `${base}/v2`],
      capabilities: capabilitiesOf(table),
      tls: await readTls(table, options, isOrigin ? origin.tls : undefined),
      headers: table.headers("header"),
      isOrigin,
    };
  };
  const mirrors: RegistryHost[] = [];
  for (const [name, table] of file.tables("host")) mirrors.push(await read(name, table, false));
  const server = file.text("server");
  if (server === undefined) return [...mirrors, origin];
  // A host that the file lists under the registry's own address is the registry.
  const own = await read(server, file, true);
  const [ownBase] = own.bases;
  if (mirrors.some(({ bases }) => bases[0] === ownBase)) {
    return mirrors.map((host) => (host.bases[0] === ownBase ? { ...host, isOrigin: true } : host));
  }
  return [...mirrors, own];
}

function parseToml(text: string, path: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text);
  } catch (error) {
    throw registryFaults
      .HOSTS_FILE(path, error instanceof Error ? error.message : String(error))
      .because(error);
  }
}

function hostUrl(name: string, options: { readonly path: string; readonly hubHost: string }): URL {
  const url = URL.parse(/^https?:\/\//.test(name) ? name : `https://${name}`);
  if (url === null) throw registryFaults.HOSTS_FILE(options.path, `"${name}" is no address of a registry`);
  if (url.hostname === "docker.io") url.hostname = options.hubHost;
  return url;
}

function capabilitiesOf(table: HostsTable): HostCapabilities {
  const names = table.texts("capabilities");
  if (names === undefined) return allCapabilities;
  if (!names.every((name) => ["pull", "resolve", "push"].includes(name))) {
    throw table.wrong("capabilities", "of pull, resolve and push");
  }
  const has = (name: string) => names.includes(name);
  return { pull: has("pull"), resolve: has("resolve"), push: has("push") };
}

async function readTls(
  table: HostsTable,
  { path, readText }: { readonly path: string; readonly readText: (path: string) => Promise<string> },
  fallback: TlsSettings | undefined,
): Promise<TlsSettings> {
  const pathOf = (name: string) => resolve(dirname(path), name);
  const authorities = table.texts("ca") ?? [];
  const clients = table.pairs("client");
  return {
    authorities: [
      ...(fallback?.authorities ?? []),
      ...(await Promise.all(authorities.map((name) => readText(pathOf(name))))),
    ],
    clients: [
      ...(fallback?.clients ?? []),
      ...(await Promise.all(
        clients.map(([certificate, key]) =>
          readClientCertificate(
            { certificate: pathOf(certificate), key: key === undefined ? undefined : pathOf(key) },
            readText,
          ),
        ),
      )),
    ],
    insecure: table.boolean("skip_verify") || fallback?.insecure === true,
  };
}

/** A table of the file; what has another type than it must is refused. */
class HostsTable {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #path: string;
  readonly #where: string;

  constructor(
    fields: Readonly<Record<string, unknown>>,
    { path, where }: { readonly path: string; readonly where: string },
  ) {
    this.#fields = fields;
    this.#path = path;
    this.#where = where;
  }

  text(name: string): string | undefined {
    const value = this.#get(name);
    if (value !== undefined && typeof value !== "string") throw this.wrong(name, "a string");
    return value;
  }

  boolean(name: string): boolean {
    const value = this.#get(name) ?? false;
    if (typeof value !== "boolean") throw this.wrong(name, "true or false");
    return value;
  }

  /** One or several. */
  texts(name: string): readonly string[] | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value === "string") return [value];
    if (!isTextList(value)) throw this.wrong(name, "a string or strings");
    return value;
  }

  /** `"cert.pem"`, `["cert1", "cert2"]`, `[["cert", "key"], ["cert2", ""]]`. */
  pairs(name: string): readonly (readonly [string, string?])[] {
    const value = this.#get(name);
    if (value === undefined) return [];
    if (typeof value === "string") return [[value]];
    if (!Array.isArray(value)) throw this.wrong(name, "names of files");
    return value.map((item: unknown): readonly [string, string?] => {
      if (typeof item === "string") return [item];
      const [certificate, key] = isTextList(item) ? item : [];
      if (certificate === undefined) throw this.wrong(name, "names of files");
      return key === undefined || key === "" ? [certificate] : [certificate, key];
    });
  }

  headers(name: string): Readonly<Record<string, string>> {
    const headers: Record<string, string> = {};
    const value = this.#get(name) ?? {};
    if (!isTable(value)) throw this.wrong(name, "a table");
    for (const [header, text] of Object.entries(value)) {
      if (typeof text !== "string" && !isTextList(text)) throw this.wrong(`${name}.${header}`, "a string");
      headers[header.toLowerCase()] = typeof text === "string" ? text : text.join(", ");
    }
    try {
      for (const [header, text] of Object.entries(headers)) {
        validateHeaderName(header);
        validateHeaderValue(header, text);
      }
    } catch (error) {
      throw this.wrong(name, `of headers (${error instanceof Error ? error.message : String(error)})`);
    }
    return headers;
  }

  tables(name: string): readonly (readonly [string, HostsTable])[] {
    const value = this.#get(name) ?? {};
    if (!isTable(value)) throw this.wrong(name, "a table");
    return Object.entries(value).map(([key, fields]) => {
      if (!isTable(fields)) throw this.wrong(`${name}.${key}`, "a table");
      return [key, new HostsTable(fields, { path: this.#path, where: `${name}.${key}.` })] as const;
    });
  }

  #get(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
  }

  wrong(name: string, wanted: string): Fault {
    return registryFaults.HOSTS_FILE(this.#path, `${this.#where}${name} is not ${wanted}`);
  }
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
