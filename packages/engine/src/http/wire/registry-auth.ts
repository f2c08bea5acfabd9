import type { Credentials, RegistryAccess } from "@hawser/registry/client";
import type { ApiRequest } from "../request.ts";
import { record, string } from "./codec.ts";

interface AuthConfig {
  readonly username: string;
  readonly password: string;
  readonly auth: string;
  readonly serverAddress: string;
  readonly identityToken: string;
  readonly registryToken: string;
}

/** What a client knows of someone at a registry: body of `POST /auth`, and inside `X-Registry-Auth`. */
export const authConfigCodec = record<AuthConfig>({
  username: ["username", string],
  password: ["password", string],
  auth: ["auth", string],
  serverAddress: ["serveraddress", string],
  identityToken: ["identitytoken", string],
  registryToken: ["registrytoken", string],
});

/** `undefined` when it names nobody. */
export function credentialsOf(config: AuthConfig): Credentials | undefined {
  const { identityToken, registryToken } = config;
  const [username, password] =
    config.username === "" && config.auth !== ""
      ? splitAuth(config.auth)
      : [config.username, config.password];
  if (username === "" && identityToken === "" && registryToken === "") return undefined;
  return {
    ...(username !== "" && { username, password }),
    ...(identityToken !== "" && { identityToken }),
    ...(registryToken !== "" && { registryToken }),
  };
}

function splitAuth(auth: string): readonly [string, string] {
  const text = Buffer.from(auth, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? ["", ""] : [text.slice(0, colon), text.slice(colon + 1).replace(/\0+$/, "")];
}

/** The header `X-Registry-Auth`: base64 (either alphabet) of JSON. As in Docker, what cannot be read is nobody. */
export function parseRegistryAuth(header: string | undefined): Credentials | undefined {
  if (header === undefined || header === "") return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(header, "base64").toString("utf8"));
    return credentialsOf(authConfigCodec.decode(value, ""));
  } catch {
    return undefined;
  }
}

/** Who asks a registry through this request, and the headers `X-Meta-*` that are for it. */
export function readAccess(request: ApiRequest): RegistryAccess {
  const credentials = parseRegistryAuth(request.header("x-registry-auth"));
  return { ...(credentials && { credentials }), headers: request.headersOf("x-meta-") };
}

/**
 * The header `X-Registry-Config` of a build: base64 of JSON, who somebody is at each of some registries, by `host[:port]` or by an
 * address (`https://index.docker.io/v1/`). What cannot be read is nobody.
 */
export function readAccessByDomain(request: ApiRequest): (domain: string) => RegistryAccess {
  const header = request.header("x-registry-config");
  if (header === undefined || header === "") return () => ({});
  const known = new Map<string, Credentials>();
  try {
    const value: unknown = JSON.parse(Buffer.from(header, "base64").toString("utf8"));
    for (const [address, config] of Object.entries(value ?? {})) {
      const credentials = credentialsOf(authConfigCodec.decode(config, ""));
      const host = address.replace(/^https?:\/\//, "").split("/", 1)[0] ?? "";
      const isHub = ["docker.io", "index.docker.io", "registry-1.docker.io"].includes(host);
      if (credentials !== undefined) known.set(isHub ? "docker.io" : host, credentials);
    }
  } catch {
    return () => ({});
  }
  return (domain) => {
    const credentials = known.get(domain);
    return credentials === undefined ? {} : { credentials };
  };
}
