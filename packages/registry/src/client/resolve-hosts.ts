import { lookup } from "node:dns/promises";
import { readdir, readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { errnoOf } from "@hawser/base";
import { splitLogin } from "./basic-login.ts";
import { cidrHas } from "./cidr.ts";
import { readClientCertificate } from "./client-certificate.ts";
import { registryFaults } from "./faults.ts";
import { allCapabilities, type RegistryHost, type RegistrySettings } from "./host.ts";
import { isLoopback } from "./is-loopback.ts";
import { parseHostsFile } from "./parse-hosts-file.ts";
import { plainTls, type TlsSettings } from "./transport.ts";

const dockerHub = "docker.io";
const dockerHubHost = "registry-1.docker.io";

/**
 * Where to ask for the content of a registry, in order: its mirrors, then itself.
 *
 * @param domain the registry as references name it: `docker.io`, `example.org:5000`
 * @throws {Fault} `invalid-argument` for configuration that cannot be read
 */
export async function resolveHosts(
  domain: string,
  settings: RegistrySettings,
): Promise<readonly RegistryHost[]> {
  const address = domain === dockerHub ? dockerHubHost : domain;
  const insecure = await isInsecure(domain, settings.insecure);
  const folder = await findHostFolder(domain, settings.hostFolders);
  const tls: TlsSettings = { ...plainTls, ...folder?.tls, insecure };
  const origin: RegistryHost = {
    bases: basesOf(address, insecure),
    capabilities: allCapabilities,
    tls,
    headers: {},
    isOrigin: true,
  };
  if (folder?.hostsFile !== undefined) {
    return await parseHostsFile(folder.hostsFile.text, {
      path: folder.hostsFile.path,
      origin,
      readText: (path) => readConfigured(path),
      hubHost: dockerHubHost,
    });
  }
  const mirrors = domain === dockerHub ? settings.mirrors : [];
  return [...(await Promise.all(mirrors.map((mirror) => mirrorHost(mirror, settings)))), origin];
}

async function mirrorHost(text: string, settings: RegistrySettings): Promise<RegistryHost> {
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw registryFaults.HOSTS_FILE("registry-mirrors", `"${text}" is no address of a registry`);
  }
  const folder = await findHostFolder(url.host, settings.hostFolders);
  const insecure = await isInsecure(url.host, settings.insecure);
  const { authorization } = splitLogin(url);
  return {
    bases: [`${url.origin}${url.pathname.replace(/\/+$/, "")}/v2`],
    capabilities: { pull: true, resolve: true, push: false },
    tls: { ...plainTls, ...folder?.tls, insecure },
    headers: authorization === undefined ? {} : { authorization },
    isOrigin: false,
  };
}

/** An insecure host is spoken to in the clear only when it does not speak TLS. */
function basesOf(address: string, insecure: boolean): RegistryHost["bases"] {
  return insecure ? [`https://${address}/v2`, `http://${address}/v2`] : [`https://${address}/v2`];
}

async function isInsecure(domain: string, insecure: readonly string[]): Promise<boolean> {
  const { hostname } = new URL(`http://${domain}`);
  if (isLoopback(hostname) || insecure.includes(domain)) return true;
  const networks = insecure.filter((text) => text.includes("/"));
  if (networks.length === 0) return false;
  const name = hostname.replace(/^\[|\]$/g, "");
  const addresses =
    isIP(name) === 0 ? await lookup(name, { all: true }).catch(() => []) : [{ address: name }];
  return addresses.some(({ address }) => networks.some((network) => cidrHas(network, address)));
}

interface HostFolder {
  readonly tls: Pick<TlsSettings, "authorities" | "clients">;
  readonly hostsFile?: { readonly path: string; readonly text: string };
}

/** The folder of a registry. `host:port` may be written `host_port_`, where a colon cannot be in a name. */
async function findHostFolder(domain: string, folders: readonly string[]): Promise<HostFolder | undefined> {
  const names = [domain, domain.replace(/:(\d+)$/, "_$1_"), "_default"];
  for (const folder of folders) {
    for (const name of names) {
      const path = join(folder, name);
      const files = await readFolder(path);
      if (files === undefined) continue;
      return {
        tls: await readCertificates(path, files),
        ...(files.includes("hosts.toml") && {
          hostsFile: { path: join(path, "hosts.toml"), text: await readConfigured(join(path, "hosts.toml")) },
        }),
      };
    }
  }
  return undefined;
}

/** Docker's `certs.d`: `*.crt` are authorities, `*.cert` with `*.key` of the same name prove who we are. */
async function readCertificates(folder: string, files: readonly string[]): Promise<HostFolder["tls"]> {
  const sorted = files.toSorted();
  const authorities = sorted.filter((name) => name.endsWith(".crt"));
  const certificates = sorted.filter((name) => name.endsWith(".cert"));
  for (const name of certificates) {
    const key = name.replace(/cert$/, "key");
    // Docker's words.
    if (!files.includes(key)) {
      throw registryFaults.HOSTS_FILE(
        folder,
        `missing key ${key} for client certificate ${name}. CA certificates must use the extension .crt`,
      );
    }
  }
  return {
    authorities: await Promise.all(authorities.map((name) => readConfigured(join(folder, name)))),
    clients: await Promise.all(
      certificates.map((name) => {
        const certificate = join(folder, name);
        return readClientCertificate(
          { certificate, key: certificate.replace(/cert$/, "key") },
          readConfigured,
        );
      }),
    ),
  };
}

async function readFolder(path: string): Promise<readonly string[] | undefined> {
  try {
    return await readdir(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
    throw registryFaults.HOSTS_FILE(path, String(errno)).because(error);
  }
}

async function readConfigured(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw registryFaults.HOSTS_FILE(path, errnoOf(error) ?? String(error)).because(error);
  }
}
