import { Socket } from "node:net";
import { native } from "./native.ts";

export interface NetlinkFeedOptions {
  /** `NETLINK_ROUTE` is 0, `NETLINK_NETFILTER` 12. */
  readonly protocol: number;
  /** A multicast group of it, as `RTNLGRP_LINK` or `NFNLGRP_NFTABLES`. */
  readonly group: number;
  /** Something has changed: one or more whole netlink messages. */
  readonly onNews: (bytes: Buffer) => void;
}

/**
 * What the kernel tells of changes in the process' own network namespace, until disposal. It does not hold the process
 * alive. News that come too fast are lost, for which there is an `NLMSG_OVERRUN` (type 4).
 *
 * @throws {Error} with `code` `EPERM` and so on.
 */
export function openNetlinkFeed({ protocol, group, onNews }: NetlinkFeedOptions): Disposable {
  const socket = new Socket({
    fd: native().openNetlinkFeed(protocol, group),
    readable: true,
    writable: false,
  });
  let part = Buffer.alloc(0);
  socket.on("data", (bytes: Buffer) => {
    const all = part.length === 0 ? bytes : Buffer.concat([part, bytes]);
    const end = endOfWholeMessages(all);
    part = Buffer.from(all.subarray(end));
    if (end > 0) onNews(all.subarray(0, end));
  });
  socket.on("error", () => socket.destroy());
  socket.unref();
  return { [Symbol.dispose]: () => void socket.destroy() };
}

/** Netlink messages begin with their length (u32), and each begins at a multiple of four bytes. */
function endOfWholeMessages(bytes: Buffer): number {
  let end = 0;
  while (end + 16 <= bytes.length) {
    const length = Math.max(16, bytes.readUInt32LE(end));
    const next = end + ((length + 3) & ~3);
    if (next > bytes.length) break;
    end = next;
  }
  return end;
}
