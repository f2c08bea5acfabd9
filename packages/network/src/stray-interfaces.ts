import { netlinkAsync } from "@hawser/linux";
import { interfaceIndexOf } from "./interface.ts";
import { change, linksIn } from "./netlink/host-network.ts";
import { deleteLink, type Link } from "./netlink/link.ts";
import { encodeMessages, parseReply } from "./netlink/message.ts";
import { listRoutes } from "./netlink/route.ts";

/**
 * Take away what an engine that died has given a namespace and written down nowhere. Only what `plug` makes looks like this; what
 * a container has made itself is left alone.
 *
 * @param known names of the interfaces that it is to have
 */
export async function removeStrayInterfaces(namespaceFd: number, known: readonly string[]): Promise<void> {
  const stray = (await linksIn(namespaceFd)).filter((link) => isPlugged(link) && !known.includes(link.name));
  if (stray.length === 0) return;
  const messages = stray.map(({ name }) => deleteLink(name));
  await change("take stray interfaces away", messages, { accept: ["ENODEV"], namespaceFd });
}

/** Whether there is a way to everything else, by IPv4. */
export async function hasDefaultRoute(namespaceFd: number): Promise<boolean> {
  // rtmsg: family, length of the destination's prefix, that of the source's, service, table, protocol, scope, type
  const [inet, main, unicast] = [2, 254, 1];
  const { messages } = parseReply(await netlinkAsync(encodeMessages([listRoutes]), { namespaceFd }));
  return messages.some(
    ({ body }) => body[0] === inet && body[1] === 0 && body[4] === main && body[7] === unicast,
  );
}

/** By its number, or by its parent, which is the host's. */
function isPlugged({ name, kind, index, leadsOut }: Link): boolean {
  if (!/\d$/.test(name)) return false;
  if (kind === "veth") return index === interfaceIndexOf(name);
  return (kind === "macvlan" || kind === "ipvlan") && leadsOut;
}
