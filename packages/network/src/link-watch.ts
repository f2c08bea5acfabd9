import { openNetlinkFeed } from "@hawser/linux";
import { parseLink } from "./netlink/link.ts";
import { splitMessages } from "./netlink/message.ts";

const linkGroup = 1; // RTNLGRP_LINK
const deleteLinkType = 17;
const overrunType = 4;

/**
 * Tell of interfaces of the host that are gone, by name; of all (`undefined`) when more happened than the kernel could tell.
 */
export function watchDeletedLinks(onDeleted: (name: string | undefined) => void): Disposable {
  return openNetlinkFeed({
    protocol: 0,
    group: linkGroup,
    onNews: (bytes) => {
      for (const { type, body } of splitMessages(bytes)) {
        if (type === overrunType) onDeleted(undefined);
        // Of family AF_BRIDGE it is a port that leaves a bridge.
        if (type === deleteLinkType && body.length >= 16 && body[0] === 0) onDeleted(parseLink(body).name);
      }
    },
  });
}
