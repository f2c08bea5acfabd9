import { createSecureContext } from "node:tls";
import { registryFaults } from "./faults.ts";
import type { TlsSettings } from "./transport.ts";

/**
 * What proves who we are: a file with a certificate and, there or in another one, its key.
 *
 * @throws {Fault} `invalid-argument` when they are none; what `read` throws
 */
export async function readClientCertificate(
  { certificate, key = certificate }: { readonly certificate: string; readonly key?: string | undefined },
  read: (path: string) => Promise<string>,
): Promise<TlsSettings["clients"][number]> {
  const pair = { certificate: await read(certificate), key: await read(key) };
  try {
    createSecureContext({ cert: pair.certificate, key: pair.key });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw registryFaults
      .HOSTS_FILE(certificate, `a certificate and its key were wanted, in PEM (${why})`)
      .because(error);
  }
  return pair;
}
