import type { Socket } from "node:net";
import { linuxFaults } from "./faults.ts";
import { asBuffer, native } from "./native.ts";

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Who connected to (or accepted on) the other end of a unix socket, as the kernel noted it at that moment; the process
 * may be gone since (`SO_PEERCRED`, unix(7)).
 *
 * @throws {Error} with `code` `EBADF` or `ENOTSOCK`.
 */
export function peerCredentials(fd: number): PeerCredentials {
  return native().peerCredentials(fd);
}

/**
 * The descriptor below a connected socket. It stays the socket's: not to be closed, not valid after the socket's end.
 *
 * @throws {Fault} `unavailable` when there is none.
 */
export function socketDescriptor(socket: Socket): number {
  return socketHandle(socket).fd;
}

/**
 * Whether the other side of a unix stream socket has not read all that was written yet (`SIOCOUTQ`, unix(7)). What Node still keeps is
 * not looked at.
 *
 * @throws {Fault} `unavailable` for a socket that has ended
 */
export function isUnread(socket: Socket): boolean {
  return native().unreadByPeer(socketDescriptor(socket)) > 0;
}

/** Node's stream handle. Undocumented, and the only way to what the kernel knows of a socket: used in this package alone. */
export interface SocketHandle {
  readonly fd: number;
  readStop(): number;
}

/** @throws {Fault} `unavailable` when the socket has none. */
export function socketHandle(socket: Socket): SocketHandle {
  const { _handle: handle } = socket as Socket & { _handle?: Partial<SocketHandle> | null };
  if (handle === undefined || handle === null) throw linuxFaults.NO_DESCRIPTOR();
  const { fd, readStop } = handle;
  if (typeof fd !== "number" || fd < 0 || typeof readStop !== "function") throw linuxFaults.NO_DESCRIPTOR();
  return handle as SocketHandle;
}

/**
 * Connect to a unix stream socket, of any path length, and return the descriptor, which the caller owns (to make it a
 * Node socket: `new net.Socket({ fd })`). Waits while the listener's backlog is full, for at most 5 s.
 *
 * @throws {Error} with `code` `ENOENT`, `ECONNREFUSED`, `EACCES`, `EAGAIN` (still full) and so on.
 */
export function connectUnix(path: string): number {
  return native().connectUnix(path);
}

/**
 * Write all of `bytes` (not empty) to a unix socket, with copies of `fds` (at most 253) that arrive with the first byte
 * (`SCM_RIGHTS`). The descriptors stay the caller's. Waits while the receiver does not read, for at most 5 s. The socket
 * must not have bytes queued in Node at the same time.
 *
 * @throws {Error} with `code` `EPIPE`, `EBADF`, `ETIMEDOUT` and so on; how much has been sent is then unknown.
 */
export function sendWithDescriptors(socketFd: number, bytes: Uint8Array, fds: readonly number[]): void {
  native().sendWithDescriptors(socketFd, asBuffer(bytes), fds);
}

/**
 * Two connected unix stream sockets, as descriptors that the caller owns.
 * @throws {Error} with `code` `EMFILE` and so on.
 */
export function socketPair(): readonly [number, number] {
  return native().socketPair();
}

/**
 * Send one datagram to a unix socket; a path that begins with `@` is an abstract name (unix(7)). Never waits.
 * @throws {Error} with `code` `ENOENT`, `ECONNREFUSED`, `EAGAIN` and so on.
 */
export function sendDatagram(path: string, bytes: Uint8Array): void {
  native().sendDatagram(path, asBuffer(bytes));
}
