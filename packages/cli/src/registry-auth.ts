import { findCredentials } from "./credential-store.ts";
import type { Session } from "./session.ts";

/** What the engine is told of the user at a registry: `X-Registry-Auth`. Always there, because pushes want it. */
export async function registryAuthHeaders(
  session: Session,
  domain: string,
): Promise<Readonly<Record<string, string>>> {
  const found = await findCredentials(session, domain);
  return { "X-Registry-Auth": Buffer.from(JSON.stringify(found ?? {})).toString("base64url") };
}
