import { closeSync } from "node:fs";
import { createNetworkNamespace, openNamespaceOfProcess } from "@hawser/linux";
import { type IpAddress, parseIp } from "../ip-address.ts";
import { change, findLink } from "../netlink/host-network.ts";
import { createVeth, setLink } from "../netlink/link.ts";
import { encodeMessages } from "../netlink/message.ts";
import { addAddress, setDefaultRoute } from "../netlink/route.ts";

/** A namespace that stands for the rest of the world: a neighbour of the host, which knows the host as its gateway. */
export interface Outside extends Disposable {
  readonly namespaceFd: number;
  readonly address: "198.51.100.2";
  /** The host's address towards it. */
  readonly hostAddress: "198.51.100.1";
}

export async function openOutside(): Promise<Outside> {
  const own = openNamespaceOfProcess("self");
  const [address, hostAddress] = ["198.51.100.2", "198.51.100.1"] as const;
  const index = 64;
  const { fd } = await createNetworkNamespace({
    inside: encodeMessages([
      createVeth({ name: "eth0", index }, { name: "uplink", namespaceFd: own }),
      setLink({ name: "eth0", up: true }),
      addAddress({ index, address: addressOf(address), prefixLength: 24 }),
      setDefaultRoute({ index, family: 4, gateway: addressOf(hostAddress) }),
    ]),
  });
  closeSync(own);
  await change("bring the uplink up", [setLink({ name: "uplink", up: true })]);
  await change("address the uplink", [
    addAddress({ index: findLink("uplink")?.index ?? 0, address: addressOf(hostAddress), prefixLength: 24 }),
  ]);
  return { namespaceFd: fd, address, hostAddress, [Symbol.dispose]: () => closeSync(fd) };
}

function addressOf(text: string): IpAddress {
  const address = parseIp(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}
