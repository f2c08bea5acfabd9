import { getSystemErrorName } from "node:util";
import { netlink, netlinkAsync } from "@hawser/linux";
import { networkFaults } from "../faults.ts";
import { type Link, listLinks, parseLink } from "./link.ts";
import { encodeMessages, type NetlinkMessage, parseReply, type Refusal } from "./message.ts";
import {
  type InterfaceAddress,
  listAddresses,
  listRoutes,
  parseAddress,
  parseRoute,
  type Route,
} from "./route.ts";

/*
 * Questions to the kernel about the network namespace of this process, and changes of it.
 */

/** The interface of that name; `undefined` when there is none. */
export function findLink(name: string): Link | undefined {
  return hostLinks().find((link) => link.name === name);
}

/** All interfaces. */
export function hostLinks(): readonly Link[] {
  return list(listLinks).map(parseLink);
}

/** All interfaces of another namespace. */
export async function linksIn(namespaceFd: number): Promise<readonly Link[]> {
  const { messages } = parseReply(await netlinkAsync(encodeMessages([listLinks]), { namespaceFd }));
  return messages.map(({ body }) => parseLink(body));
}

/** Addresses of all interfaces, but for those that no traffic could come from. */
export function hostAddresses(): readonly InterfaceAddress[] {
  return list(listAddresses).flatMap((body) => parseAddress(body) ?? []);
}

/** Without default routes and the host's own addresses. */
export function hostRoutes(): readonly Route[] {
  return list(listRoutes).flatMap((body) => parseRoute(body) ?? []);
}

/** A list that changed while it was read has gaps or doubles: it is read again, a few times at most. */
function list(question: NetlinkMessage): Buffer[] {
  for (let attempt = 1; ; attempt++) {
    const { messages, refusals, interrupted } = parseReply(netlink(encodeMessages([question])));
    if (refusals[0] !== undefined) throw refused("read the host's network", refusals[0]);
    if (!interrupted || attempt === 10) return messages.map(({ body }) => body);
  }
}

/**
 * Send changes, all of them, in the process' own namespace or that of `namespaceFd`; the first refusal is thrown, unless it is one of `accept` ("EEXIST"), which may happen.
 *
 * @throws {Fault} `internal`: `Cannot <what>: ...`.
 */
export async function change(
  what: string,
  messages: readonly NetlinkMessage[],
  options: { readonly accept?: readonly string[]; readonly namespaceFd?: number } = {},
): Promise<void> {
  const { accept: _accept, ...where } = options;
  const { refusals } = parseReply(await netlinkAsync(encodeMessages(messages), where));
  const refusal = refusals.find(({ errno }) => !options.accept?.includes(errnoName(errno)));
  if (refusal !== undefined) throw refused(what, refusal);
}

/** `Cannot <what>: the kernel says EPERM`. */
export function refused(what: string, { errno, reason }: Refusal): Error {
  return networkFaults.REFUSED(what, errnoName(errno), reason);
}

/** "EEXIST" */
export function errnoName(errno: number): string {
  return getSystemErrorName(-errno);
}
