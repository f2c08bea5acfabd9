import { findCredentials, registryKey } from "./credential-store.ts";
import type { Session } from "./session.ts";
import { readSettings, tableOf } from "./settings-file.ts";

/** What the engine is told of the user at a registry: `X-Registry-Auth`. Always there, because pushes want it. */
export async function registryAuthHeaders(
  session: Session,
  domain: string,
): Promise<Readonly<Record<string, string>>> {
  const found = await findCredentials(session, domain);
  return { "X-Registry-Auth": Buffer.from(JSON.stringify(found ?? {})).toString("base64url") };
}

/** Who the user is wherever he is somebody: `X-Registry-Config`, for builds, which may pull from anywhere. */
export async function registryConfigHeaders(session: Session): Promise<Readonly<Record<string, string>>> {
  const settings = readSettings(session);
  const keys = [...Object.keys(tableOf(settings["auths"])), ...Object.keys(tableOf(settings["credHelpers"]))];
  const entries: [string, object][] = [];
  for (const key of new Set(keys)) {
    const found = await findCredentials(session, key === registryKey("docker.io") ? "docker.io" : key);
    if (found !== undefined) entries.push([key, found]);
  }
  if (entries.length === 0) return {};
  const text = JSON.stringify(Object.fromEntries(entries));
  return { "X-Registry-Config": Buffer.from(text).toString("base64url") };
}
