import { createHash } from "node:crypto";
import { hostLinks } from "./netlink/host-network.ts";

/**
 * Names for the host's ends of veth pairs: `hw`, five characters that tell engines apart, and a number that begins above
 * those that an engine before us left.
 *
 * @param engine what no other engine of the host has: the name of its default bridge
 */
export function openHostInterfaceNames(engine: string): () => string {
  const tag = createHash("sha256")
    .update(engine)
    .digest()
    .readUInt32BE()
    .toString(36)
    .padStart(7, "0")
    .slice(-5);
  const prefix = `hw${tag}`;
  const used = hostLinks().flatMap(({ name }) =>
    name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 36) : [],
  );
  let next = Math.max(0, ...used.filter(Number.isSafeInteger)) + 1;
  return () => `${prefix}${(next++).toString(36)}`;
}
