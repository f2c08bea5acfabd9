import { networkFaults } from "./faults.ts";
import { bytesOfIp, type IpAddress, macOfIp } from "./ip-address.ts";
import { change, findLink, hostAddresses } from "./netlink/host-network.ts";
import { createBridge, deleteLink, setLink, setLinkWithoutIpv6 } from "./netlink/link.ts";
import { addAddress, deleteAddress } from "./netlink/route.ts";

/** What a bridge interface of the host is to be. */
export interface HostBridgeOptions {
  readonly name: string;
  readonly mtu: number;
  /** The host's addresses on it; empty when containers are not to reach the host. */
  readonly addresses: readonly { readonly address: IpAddress; readonly prefixLength: number }[];
}

/**
 * The bridge with its addresses, up; made, or found again and corrected. It has a MAC address of its own: by default the
 * kernel gives a bridge the lowest of its ports', which changes as containers come and go, and with it what everybody
 * remembers of the gateway. Returns its index.
 *
 * @throws {Fault} `conflict` when the name is another interface's, `internal` when the kernel refuses.
 */
export async function ensureHostBridge(options: HostBridgeOptions): Promise<number> {
  const { name, mtu, addresses } = options;
  const existing = findLink(name);
  if (existing !== undefined && existing.kind !== "bridge") {
    throw networkFaults.NOT_A_BRIDGE(name, existing.kind || "not made by software");
  }
  const [first] = addresses;
  const hasIpv6 = addresses.some(({ address }) => address.family === 6);
  await change(`make bridge ${name}`, [
    ...(existing === undefined ? [createBridge({ name })] : []),
    ...(hasIpv6 ? [] : [setLinkWithoutIpv6(name)]),
    setLink({ name, mtu, up: true, ...(first !== undefined && { macAddress: macOfIp(first.address) }) }),
  ]);
  const index = existing?.index ?? findLink(name)?.index;
  if (index === undefined) throw networkFaults.REFUSED(`make bridge ${name}`, "ENODEV", "it has vanished");
  const isWanted = (other: { readonly address: IpAddress; readonly prefixLength: number }) =>
    addresses.some(
      ({ address, prefixLength }) =>
        address.value === other.address.value &&
        address.family === other.address.family &&
        prefixLength === other.prefixLength,
    );
  const others = hostAddresses().filter(
    (other) => other.index === index && !isWanted(other) && !isLinkLocal(other.address),
  );
  const changes = [
    ...others.map(deleteAddress),
    ...addresses.map((wanted) => addAddress({ index, ...wanted })),
  ];
  if (changes.length > 0) await change(`give bridge ${name} its addresses`, changes);
  return index;
}

/** Remove the bridge; fine when it is gone. */
export async function removeHostBridge(name: string): Promise<void> {
  await change(`remove bridge ${name}`, [deleteLink(name)], { accept: ["ENODEV"] });
}

function isLinkLocal(address: IpAddress): boolean {
  const [first, second = 0] = bytesOfIp(address);
  return address.family === 6 && first === 0xfe && (second & 0xc0) === 0x80;
}
