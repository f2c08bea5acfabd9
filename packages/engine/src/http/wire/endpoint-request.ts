import type { EndpointWish } from "../../networks/attachment.ts";
import { type Codec, integer, list, map, record, string } from "./codec.ts";

interface WireEndpoint extends Omit<EndpointWish, "ipv4Address" | "ipv6Address" | "linkLocalAddresses"> {
  readonly ipam: Pick<EndpointWish, "ipv4Address" | "ipv6Address" | "linkLocalAddresses">;
}

const wireEndpointCodec = record<WireEndpoint>({
  ipam: [
    "IPAMConfig",
    record<WireEndpoint["ipam"]>({
      ipv4Address: ["IPv4Address", string],
      ipv6Address: ["IPv6Address", string],
      linkLocalAddresses: ["LinkLocalIPs", list(string)],
    }),
  ],
  aliases: ["Aliases", list(string, null)],
  links: ["Links", list(string, null)],
  macAddress: ["MacAddress", string],
  driverOptions: ["DriverOpts", map(string, null)],
  gatewayPriority: ["GwPriority", integer],
});

/** Docker's `EndpointSettings`, as far as clients fill it. */
export const endpointWishCodec: Codec<EndpointWish> = {
  decode: (value, path) => {
    const { ipam, ...endpoint } = wireEndpointCodec.decode(value, path);
    return { ...endpoint, ...ipam };
  },
  encode: ({ ipv4Address, ipv6Address, linkLocalAddresses, ...endpoint }) =>
    wireEndpointCodec.encode({ ...endpoint, ipam: { ipv4Address, ipv6Address, linkLocalAddresses } }),
};
