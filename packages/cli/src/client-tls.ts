import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ClientTls } from "@hawser/api/client";
import { Fault } from "@hawser/base";
import { cliFaults } from "./faults.ts";
import type { GlobalFlags } from "./global-flags.ts";
import type { Environment } from "./options/environment-option.ts";

export type TlsFlags = Pick<GlobalFlags, "tls" | "tlsverify" | "tlscacert" | "tlscert" | "tlskey">;

/**
 * What options and environment (`DOCKER_TLS`, `DOCKER_TLS_VERIFY`, `DOCKER_CERT_PATH`) say of encryption; `undefined`: none is
 * wanted. Who names a certificate wants it. Files that are not named are those of Docker's folder, as far as they are there.
 *
 * @throws {Fault} `invalid-argument` for a file that cannot be read
 */
export function tlsOfFlags(
  flags: TlsFlags,
  { environment, configDir }: { readonly environment: Environment; readonly configDir: string },
): ClientTls | undefined {
  const verifies = flags.tlsverify ?? Boolean(environment["DOCKER_TLS_VERIFY"]);
  const isNamed = [flags.tlscacert, flags.tlscert, flags.tlskey].some((path) => path !== "");
  const isOnly = flags.tls || Boolean(environment["DOCKER_TLS"]);
  if (!verifies && !isNamed && !isOnly) return undefined;
  const folder = environment["DOCKER_CERT_PATH"] || configDir;
  const insecure = !verifies && (isOnly || flags.tlsverify === false);
  const authority = insecure ? undefined : readPem(flags.tlscacert, { byDefault: join(folder, "ca.pem") });
  const certificate = readPem(flags.tlscert, { byDefault: join(folder, "cert.pem") });
  const key = readPem(flags.tlskey, { byDefault: join(folder, "key.pem") });
  return {
    insecure,
    ...(authority && { authority }),
    ...(certificate && { certificate }),
    ...(key && { key }),
  };
}

function readPem(named: string, { byDefault }: { readonly byDefault: string }): Buffer | undefined {
  if (named === "" && !existsSync(byDefault)) return undefined;
  const path = named || byDefault;
  try {
    return readFileSync(path);
  } catch (error) {
    throw cliFaults.HOST_UNRESOLVED(`could not read ${path}: ${Fault.from(error).message}`);
  }
}
