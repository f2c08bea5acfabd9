import { openSync } from "node:fs";
import { errnoOf } from "@hawser/base";
import { linuxFaults } from "./faults.ts";
import { asBuffer, native } from "./native.ts";

export interface NetworkNamespaceRequest {
  /** Kernel settings of the namespace, as `net/...` below /proc/sys → text; those that this kernel lacks are left out. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Netlink messages (`NETLINK_ROUTE`) to send from inside the new namespace, in one piece, as `netlink` wants them. */
  readonly inside?: Uint8Array;
  /** The same from the process' own namespace, after those from inside. */
  readonly outside?: Uint8Array;
}

export interface NewNetworkNamespace {
  /** The caller's, to be closed. The namespace, and with it each veth in it, goes when nothing refers to it any more. */
  readonly fd: number;
  /** The kernel's answers, to be looked at: a message that was refused is not a failure of the call. */
  readonly inside: Uint8Array;
  readonly outside: Uint8Array;
}

/**
 * Make a network namespace with `lo` up, on a short-lived thread of its own: no thread of Node's ever leaves its
 * namespace, and the event loop does not wait for the kernel. Order: lo, settings, inside, outside.
 *
 * @throws {Error} with `code` `EPERM` (CAP_SYS_ADMIN is wanted), `ENOSPC` (the limit of namespaces) and so on.
 */
export async function createNetworkNamespace(
  request: NetworkNamespaceRequest = {},
): Promise<NewNetworkNamespace> {
  const settings = Object.entries(request.settings ?? {}).map(
    ([path, text]) => `/proc/sys/${path}\0${text}\0`,
  );
  return await native().createNetworkNamespace(
    Buffer.from(settings.join("")),
    asBuffer(request.inside ?? empty),
    asBuffer(request.outside ?? empty),
  );
}

const empty = Buffer.alloc(0);

/** As `createNetworkNamespace`, with nothing in it but `lo`. The descriptor is the caller's. */
export async function openNetworkNamespace(): Promise<number> {
  return (await createNetworkNamespace()).fd;
}

/**
 * The network namespace that a process is in. The descriptor is the caller's.
 *
 * @throws {Fault} `not-found` when there is no such process.
 * @throws {Error} with `code` `EACCES`.
 */
export function openNamespaceOfProcess(pid: number | "self"): number {
  try {
    return openSync(`/proc/${pid}/ns/net`, "r");
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ESRCH") {
      throw linuxFaults.NO_NAMESPACE(Number(pid)).because(error);
    }
    throw error;
  }
}

/** IANA's numbers of protocols above IP. */
const protocolNumbers = { tcp: 6, udp: 17, sctp: 132 } as const;

/**
 * A socket that lives in another network namespace, bound, not blocking; the descriptor is the caller's and works from
 * this process: `dgram.Socket#bind({ fd })`, `net.Server#listen({ fd })`.
 *
 * @throws {Error} with `code` `EADDRINUSE`, `EADDRNOTAVAIL`, `EINVAL` (not an address), `EPROTONOSUPPORT` and so on.
 */
export function socketInNamespace(options: {
  readonly namespaceFd: number;
  readonly protocol: keyof typeof protocolNumbers;
  /** IPv4 or IPv6. */
  readonly address: string;
  /** 0: the kernel chooses. */
  readonly port: number;
  /** Another socket of root's that is shared, too, may have the same port: questions go to either. */
  readonly shared?: boolean;
}): number {
  const { namespaceFd, protocol, address, port, shared = false } = options;
  return native().socketInNamespace(namespaceFd, protocolNumbers[protocol], address, port, shared);
}
