import { netlinkAsync } from "@hawser/linux";
import { interfaceIndexOf } from "./interface.ts";
import { change } from "./netlink/host-network.ts";
import { deleteLink, listLinks, parseLink } from "./netlink/link.ts";
import { encodeMessages, type NetlinkMessage, parseReply } from "./netlink/message.ts";
import { listRoutes } from "./netlink/route.ts";

const ownKinds: ReadonlySet<string> = new Set(["veth", "macvlan", "ipvlan"]);

/**
 * Take away what an engine that died has given a namespace and written down nowhere. Only what `plug` makes looks like this, by
 * its kind, name and number; what a container has made itself is left alone.
 *
 * @param known names of the interfaces that it is to have
 */
export async function removeStrayInterfaces(namespaceFd: number, known: readonly string[]): Promise<void> {
  const stray = (await list(listLinks, namespaceFd))
    .map(parseLink)
    .filter(
      ({ name, kind, index }) =>
        ownKinds.has(kind) && /\d$/.test(name) && index === interfaceIndexOf(name) && !known.includes(name),
    );
  if (stray.length === 0) return;
  const messages = stray.map(({ name }) => deleteLink(name));
  await change("take stray interfaces away", messages, { accept: ["ENODEV"], namespaceFd });
}

/** Whether there is a way to everything else, by IPv4. */
export async function hasDefaultRoute(namespaceFd: number): Promise<boolean> {
  // rtmsg: family, length of the destination's prefix, that of the source's, service, table, protocol, scope, type
  const [inet, main, unicast] = [2, 254, 1];
  return (await list(listRoutes, namespaceFd)).some(
    (body) => body[0] === inet && body[1] === 0 && body[4] === main && body[7] === unicast,
  );
}

async function list(question: NetlinkMessage, namespaceFd: number): Promise<readonly Buffer[]> {
  const { messages } = parseReply(await netlinkAsync(encodeMessages([question]), { namespaceFd }));
  return messages.map(({ body }) => body);
}
