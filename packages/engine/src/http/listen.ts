import { chmod, chown, lstat, rename, rm } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { basename, dirname, join } from "node:path";
import { errnoOf } from "@hawser/base";
import { httpFaults } from "./faults.ts";

/** An address of the API: `unix:///run/hawser/hawser.sock`, `tcp://127.0.0.1:2375`, `fd://`, `fd://3`, `fd://docker.socket`. */
export type ListenAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  /** Sockets that were open before the engine: the one of a number or name, or all. */
  | { readonly kind: "fd"; readonly name: string };

/** @throws {Fault} `invalid-argument` */
export function parseListenAddress(text: string): ListenAddress {
  if (text.startsWith("unix://")) {
    const path = text.slice("unix://".length);
    // sun_path holds 107 bytes and a NUL
    if (path.startsWith("/") && Buffer.byteLength(path) <= 107) return { kind: "unix", path };
  }
  const [, host, port] = /^tcp:\/\/(\[[0-9a-fA-F:.]+\]|[^:/]+):(\d{1,5})$/.exec(text) ?? [];
  if (host !== undefined && port !== undefined && Number(port) <= 65535) {
    return { kind: "tcp", host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
  }
  const [, name] = /^fd:\/\/([\w.:-]*)$/.exec(text) ?? [];
  if (name !== undefined) return { kind: "fd", name };
  throw httpFaults.ADDRESS_INVALID(text);
}

/**
 * Let `server` listen on a unix socket that its owner and `groupId` may use (mode 0660). The name appears when the socket
 * is ready, in place of one that a dead engine left. The returned function removes the name, if it is still this socket's.
 *
 * @throws {Fault} `unavailable` when an engine answers there, `conflict` when the name is something else's.
 */
export async function listenUnix(
  server: Server,
  { path, groupId }: { readonly path: string; readonly groupId?: number | undefined },
): Promise<() => Promise<void>> {
  await refuseLiveName(path);
  const temporary = join(dirname(path), `.${basename(path).slice(0, -2)}~`);
  await rm(temporary, { force: true });
  await listening(server, () => server.listen(temporary));
  try {
    await chmod(temporary, 0o660);
    if (groupId !== undefined) await chown(temporary, -1, groupId);
    const { ino } = await lstat(temporary);
    await rename(temporary, path);
    return async () => {
      const now = await lstat(path).catch(() => undefined);
      if (now?.ino === ino) await rm(path, { force: true });
    };
  } catch (error) {
    server.close();
    throw error;
  }
}

/** Let `server` listen on a TCP port. Returns the port, which the system chose when 0 was asked for. */
export async function listenTcp(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<number> {
  await listening(server, () => server.listen({ host, port }));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}

/** Let `server` accept on a socket that is listening already. Returns what kind of connections come to it. */
export async function listenInherited(server: Server, fd: number): Promise<"unix" | "tcp"> {
  await listening(server, () => server.listen({ fd }));
  return typeof server.address() === "string" || server.address() === null ? "unix" : "tcp";
}

async function listening(server: Server, listen: () => void): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    listen();
  });
}

async function refuseLiveName(path: string): Promise<void> {
  let found: Awaited<ReturnType<typeof lstat>>;
  try {
    found = await lstat(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  if (!found.isSocket()) throw httpFaults.SOCKET_PATH_TAKEN(path);
  if (await answers(path)) throw httpFaults.ADDRESS_IN_USE(`unix://${path}`);
}

async function answers(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}
