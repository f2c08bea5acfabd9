import { type Attachment, type EndpointWish, networkOfMode, noWish, parseNetworkMode } from "./attachment.ts";
import { findWishProblem } from "./check-wish.ts";
import { networkServiceFaults } from "./faults.ts";
import type { NetworkService } from "./network-service.ts";

/**
 * The networks of a new container (moby's `updateContainerNetworkSettings`): those that are asked for by name, the one of the
 * network mode first, which is added when it is a user's; the network mode's alone when none is.
 *
 * A network that is not there is not a mistake before the start.
 *
 * @throws {Fault} `invalid-argument`, Docker's words
 */
export function planAttachments(
  networks: NetworkService,
  request: {
    readonly networkMode: string;
    readonly endpoints: Readonly<Record<string, EndpointWish>>;
    /** Of the container's own settings, as older clients ask for it. */
    readonly macAddress: string;
  },
): readonly Attachment[] {
  const mode = parseNetworkMode(request.networkMode);
  const main = networkOfMode(mode);
  if (main === undefined) return [];
  const wishes = new Map<string, EndpointWish>();
  for (const [name, wish] of Object.entries(request.endpoints)) wishes.set(nameOf(networks, name), wish);
  const mainName = nameOf(networks, main);
  if (wishes.size === 0 || (mode.kind === "user" && !wishes.has(mainName))) wishes.set(mainName, noWish);
  const names = [...wishes.keys()].toSorted((a, b) => Number(b === mainName) - Number(a === mainName));
  return names.map((network) => {
    const asked = wishes.get(network) ?? noWish;
    const takesMac = network === mainName && request.macAddress !== "";
    if (takesMac && !["", request.macAddress].includes(asked.macAddress)) {
      throw networkServiceFaults.MAC_ADDRESSES_DIFFER();
    }
    const wish = takesMac ? { ...asked, macAddress: request.macAddress } : asked;
    const problem = findWishProblem(wish, networks.find(network));
    if (problem !== undefined) throw networkServiceFaults.CREATE_ENDPOINT_INVALID(network, problem);
    return { network, networkId: "", wish };
  });
}

/** Its own name when it is there: users may say its id. */
function nameOf(networks: NetworkService, text: string): string {
  return networks.find(text)?.name ?? text;
}
