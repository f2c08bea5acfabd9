import { compileIgnorePatterns, Fault, readTar, rootedTarPath, writeTar } from "@hawser/base";
import { type ClientSession, receiveFolder } from "@hawser/build/grpc";
import type { RegistryAccess } from "@hawser/registry/client";
import { maxDockerfileBytes } from "../build-service.ts";
import { buildFaults } from "../faults.ts";

/** Small files of a folder that a client serves. @throws {Fault} `invalid-argument` for one that is not small */
export async function receiveTexts(
  session: ClientSession,
  wanted: { readonly name: string; readonly paths: readonly string[]; readonly signal: AbortSignal },
): Promise<ReadonlyMap<string, string>> {
  const { name, paths, signal } = wanted;
  const found = new Map<string, string>();
  const entries = receiveFolder(session, { name, follow: paths, signal, onProgress: () => {} });
  for await (const { entry, data } of readTar(writeTar(entries))) {
    const path = Buffer.from(rootedTarPath(entry.path), "latin1").toString();
    if (entry.type !== "file" || !paths.includes(path)) continue;
    if (entry.sizeBytes > maxDockerfileBytes) throw buildFaults.DOCKERFILE_MISSING(path);
    found.set(path, Buffer.concat(await Array.fromAsync(data)).toString());
  }
  return found;
}

/** What a client's session gives for a registry; `undefined`: nothing. */
export async function sessionAccess(
  session: ClientSession,
  domain: string,
  signal: AbortSignal,
): Promise<RegistryAccess | undefined> {
  const host = domain === "docker.io" ? "registry-1.docker.io" : domain;
  try {
    const found = await session.credentials(host, signal);
    if (found === undefined) return undefined;
    const { username, secret } = found;
    return { credentials: username === "" ? { identityToken: secret } : { username, password: secret } };
  } catch (error) {
    if (Fault.is(error, "not-found")) return undefined;
    throw error;
  }
}

/** What lines of `.dockerignore` leave out; absent: nothing does. */
export function ignoring(lines: readonly string[] | undefined): ((path: string) => boolean) | undefined {
  if (lines === undefined || lines.length === 0) return undefined;
  const patterns = compileIgnorePatterns(lines);
  return (path) => patterns.ignores(path);
}
