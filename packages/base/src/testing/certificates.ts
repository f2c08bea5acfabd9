import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";

const at = (name: string) => join(import.meta.dirname, "certificates", name);

/** Paths of certificates for tests: a server on loopback, its client, and a client whom another authority vouches for. */
export const certificates = {
  authority: at("authority.pem"),
  server: { cert: at("server-cert.pem"), key: at("server-key.pem") },
  client: { cert: at("client-cert.pem"), key: at("client-key.pem") },
  stranger: { cert: at("strange-client-cert.pem"), key: at("strange-client-key.pem") },
} as const;

/** A folder as Docker's `DOCKER_CERT_PATH` names one. */
export async function makeCertFolder(path: string, who: "client" | "stranger" = "client"): Promise<string> {
  await mkdir(path, { recursive: true });
  await copyFile(certificates.authority, join(path, "ca.pem"));
  await copyFile(certificates[who].cert, join(path, "cert.pem"));
  await copyFile(certificates[who].key, join(path, "key.pem"));
  return path;
}
