import type { ContainerRecord } from "../containers/container-record.ts";
import type { Attachment } from "./attachment.ts";
import { isPredefined } from "./network-record.ts";

/** The names under which a container is found on a user's network (moby's `getDNSNames`): none on others. */
export function dnsNamesOf(
  { network, wish }: Attachment,
  { id, name, config }: Pick<ContainerRecord, "id" | "name" | "config">,
): readonly string[] {
  if (isPredefined(network)) return [];
  const shortId = id.slice(0, 12);
  const { hostname, domainname } = config;
  const full = domainname === "" ? hostname : `${hostname}.${domainname}`;
  return [...new Set([name, ...wish.aliases, shortId, ...(hostname === "" ? [] : [hostname, full])])];
}
