import { asBuffer, native } from "./native.ts";

export interface NetlinkOptions {
  /** The namespace to ask in; absent: the process' own. May be closed while an asynchronous request is under way. */
  readonly namespaceFd?: number;
  /** Absent: `NETLINK_ROUTE`. */
  readonly protocol?: number;
}

/**
 * Send netlink messages to the kernel in one piece and return all that it answers, until each message has been answered.
 * So each must carry `NLM_F_ACK` or `NLM_F_DUMP`, at most one the latter, and the messages be aligned to 4 bytes. The
 * kernel works through all of them, also after one that it refuses: the answers tell.
 *
 * Blocks the event loop: 20 µs for a question; for what changes links (about a millisecond) use `netlinkAsync`.
 *
 * @throws {Error} with `code` `EINVAL` (badly formed), `EPERM`, `ETIMEDOUT` (30 s), `EMSGSIZE` (an answer over 16 MiB).
 */
export function netlink(request: Uint8Array, options: NetlinkOptions = {}): Uint8Array {
  return native().netlink(asBuffer(request), options.namespaceFd ?? -1, options.protocol ?? 0);
}

/** As `netlink`, on a thread of its own. */
export async function netlinkAsync(request: Uint8Array, options: NetlinkOptions = {}): Promise<Uint8Array> {
  return await native().netlinkAsync(asBuffer(request), options.namespaceFd ?? -1, options.protocol ?? 0);
}
