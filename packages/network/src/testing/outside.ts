import { closeSync } from "node:fs";
import { createNetworkNamespace, openNamespaceOfProcess } from "@hawser/linux";
import { parseIpv4 } from "../ipv4.ts";
import { change, findLink } from "../netlink/host-network.ts";
import { encodeMessages } from "../netlink/message.ts";
import { addAddress, addDefaultRoute, createVeth, setLink } from "../netlink/route.ts";

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
      addAddress({ index, address: numberOf(address), prefixLength: 24 }),
      addDefaultRoute({ index, gateway: numberOf(hostAddress) }),
    ]),
  });
  closeSync(own);
  await change("bring the uplink up", [setLink({ name: "uplink", up: true })]);
  await change("address the uplink", [
    addAddress({ index: findLink("uplink")?.index ?? 0, address: numberOf(hostAddress), prefixLength: 24 }),
  ]);
  return { namespaceFd: fd, address, hostAddress, [Symbol.dispose]: () => closeSync(fd) };
}

function numberOf(address: string): number {
  return parseIpv4(address) ?? 0;
}
