import { existsSync } from "node:fs";
import { join } from "node:path";
import { linuxFaults } from "./faults.ts";

/** What native/addon gives, as it is; the other files of this package say what each is for. */
export interface NativeAddon {
  peerCredentials(fd: number): { readonly pid: number; readonly uid: number; readonly gid: number };
  duplicate(fd: number): number;
  lockFile(fd: number): boolean;
  unreadByPeer(fd: number): number;
  connectUnix(path: string): number;
  sendWithDescriptors(socketFd: number, bytes: Buffer, fds: readonly number[]): void;
  socketPair(): readonly [number, number];
  sendDatagram(path: string, bytes: Buffer): void;
  createNetworkNamespace(
    settings: Buffer,
    inside: Buffer,
    outside: Buffer,
  ): Promise<{ readonly fd: number; readonly inside: Buffer; readonly outside: Buffer }>;
  netlink(request: Buffer, namespaceFd: number, protocol: number): Buffer;
  netlinkAsync(request: Buffer, namespaceFd: number, protocol: number): Promise<Buffer>;
  sendFile(socketFd: number, fileFd: number, position: number, length: number): Promise<number>;
  socketInNamespace(
    namespaceFd: number,
    protocol: number,
    address: string,
    port: number,
    shared: boolean,
  ): number;
  releaseThread(): void;
  holdRoot(): object;
  enterRoot(held: object): void;
  dropRoot(held: object): void;
  confineThread(root: string): void;
  makeNode(path: string | Buffer, mode: number, rdev: number): void;
  exchangeFiles(one: string | Buffer, other: string | Buffer): void;
  setXattr(path: string | Buffer, name: string, value: Buffer): void;
  getXattr(path: string | Buffer, name: string): Buffer | undefined;
  listXattr(path: string | Buffer): string[];
  setTimesNs(path: string | Buffer, atimeNs: bigint, mtimeNs: bigint): void;
  makeFile(
    path: string | Buffer,
    bytes: Buffer,
    openMode: number,
    uid: number,
    gid: number,
    mode: number,
    mtimeNs: bigint,
  ): void;
  setFileAttributes(fd: number, uid: number, gid: number, mode: number, mtimeNs: bigint): void;
  createInflater(checks: boolean): object;
  inflate(
    inflater: object,
    input: Buffer,
    output: Buffer,
  ): { readonly read: number; readonly written: number; readonly ended: boolean };
  openInRoot(dirFd: number, path: string | Buffer, flags: number, mode: number): number;
  statFolder(path: string | Buffer): Buffer;
  confineThreadToView(
    namespaceFd: number,
    flags: number,
    lower: Buffer,
    upper: string,
    work: string,
    binds: Buffer,
  ): void;
  mountFileSystem(source: string, target: string, type: string, flags: number, data: string): Promise<void>;
  unmountFileSystem(target: string, flags: number): Promise<void>;
  syncFileSystem(folder: string): Promise<void>;
  setProjectQuota(folder: string, project: number, bytes: number): void;
  runNft(
    commands: Buffer,
    namespaceFd: number,
  ): Promise<{ readonly refused: boolean; readonly text: Buffer }>;
  openNetlinkFeed(protocol: number, group: number): number;
  compileSeccomp(policy: Buffer): Promise<Buffer>;
}

let loaded: NativeAddon | undefined;

/**
 * The addon, loaded at its first use (0.5 ms). It is `build/native/hawser.node` of the tree that this file, or the bundle
 * that it became part of, lies in. A worker that confines itself must have used this package before it does.
 *
 * @throws {Fault} `unavailable` when it has not been built, or not for this node.
 */
export function native(): NativeAddon {
  loaded ??= load(findAddon(import.meta.dirname));
  return loaded;
}

/**
 * From packages/linux/src the top is three folders up, and from a bundle, `dist/<program>/<digest>`.
 *
 * @throws {Fault} `unavailable`.
 */
export function findAddon(folder: string): string {
  const place = join(folder, "../../../build/native/hawser.node");
  if (!existsSync(place)) throw linuxFaults.ADDON_MISSING(place);
  return place;
}

/** @throws {Fault} `unavailable` when it is not an addon for this node. */
export function load(path: string): NativeAddon {
  const holder: { exports: Partial<NativeAddon> } = { exports: {} };
  try {
    process.dlopen(holder, path);
  } catch (error) {
    throw linuxFaults
      .ADDON_UNUSABLE(path, error instanceof Error ? error.message : String(error))
      .because(error);
  }
  return holder.exports as NativeAddon;
}

/** Bytes as the addon takes them, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A path as the addon takes it: text, or the bytes of a name that need not be UTF-8. */
export function asPath(path: string | Uint8Array): string | Buffer {
  return typeof path === "string" ? path : asBuffer(path);
}
