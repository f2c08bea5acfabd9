import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { Fault } from "@hawser/base";
import { configFaults } from "./faults.ts";
import type { Settings } from "./settings.ts";

/** Who the engine is on encrypted connections, and whom it lets in. */
export interface ServerTls {
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** Clients must show a certificate of this authority; absent: anybody may come. */
  readonly clientAuthority?: Buffer;
}

/**
 * What `--tls`, `--tlsverify` and the files beside them ask for; `undefined`: no encryption. The files are Docker's:
 * `ca.pem`, `cert.pem` and `key.pem` in `$DOCKER_CERT_PATH` or the home's `.docker`, when no others are named.
 *
 * @throws {Fault} `invalid-argument` that names the file
 */
export function serverTls(
  said: Settings,
  environment: Readonly<Record<string, string | undefined>>,
): ServerTls | undefined {
  const verifies = said.tlsverify ?? false;
  const named = [said.tlscacert, said.tlscert, said.tlskey].some((path) => path !== undefined && path !== "");
  if (said.tls === false && verifies)
    throw configFaults.VALUE_INVALID("tlsverify wants TLS, which tls switches off");
  if (!verifies && !(said.tls ?? (named && said.tlsverify === undefined))) return undefined;
  const folder = environment["DOCKER_CERT_PATH"] || join(homedir(), ".docker");
  const certPath = said.tlscert || join(folder, "cert.pem");
  const keyPath = said.tlskey || join(folder, "key.pem");
  const [certificate, key] = [read(certPath), read(keyPath)];
  try {
    createSecureContext({ cert: certificate, key });
  } catch (error) {
    throw configFaults.TLS_INVALID(
      `Could not load X509 key pair (cert: "${certPath}", key: "${keyPath}"): ${Fault.from(error).message}`,
    );
  }
  if (!verifies) return { certificate, key };
  const authorityPath = said.tlscacert || join(folder, "ca.pem");
  const clientAuthority = read(authorityPath);
  try {
    createSecureContext({ ca: clientAuthority });
  } catch (error) {
    throw configFaults.TLS_INVALID(
      `could not read CA certificate "${authorityPath}": ${Fault.from(error).message}`,
    );
  }
  if (!clientAuthority.includes("-----BEGIN CERTIFICATE-----"))
    throw configFaults.TLS_INVALID(
      `could not read CA certificate "${authorityPath}": no certificate is in it`,
    );
  return { certificate, key, clientAuthority };
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw configFaults.TLS_INVALID(`Could not read ${path}: ${Fault.from(error).message}`);
  }
}
