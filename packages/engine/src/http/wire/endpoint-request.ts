import { type Codec, list, map, record, string } from "./codec.ts";

/** What a client asks of a container's part in a network. */
export interface EndpointRequest {
  /** Empty: any free one. */
  readonly ipv4Address: string;
  readonly ipv6Address: string;
  readonly aliases: readonly string[];
  readonly links: readonly string[];
  /** Empty: one is made up. */
  readonly macAddress: string;
  readonly driverOptions: Readonly<Record<string, string>>;
}

interface WireEndpoint extends Omit<EndpointRequest, "ipv4Address" | "ipv6Address"> {
  readonly ipam: Pick<EndpointRequest, "ipv4Address" | "ipv6Address">;
}

const wireEndpointCodec = record<WireEndpoint>({
  ipam: [
    "IPAMConfig",
    record<WireEndpoint["ipam"]>({
      ipv4Address: ["IPv4Address", string],
      ipv6Address: ["IPv6Address", string],
    }),
  ],
  aliases: ["Aliases", list(string, null)],
  links: ["Links", list(string, null)],
  macAddress: ["MacAddress", string],
  driverOptions: ["DriverOpts", map(string, null)],
});

/** Docker's `EndpointSettings`, as far as clients fill it. */
export const endpointRequestCodec: Codec<EndpointRequest> = {
  decode: (value, path) => {
    const { ipam, ...endpoint } = wireEndpointCodec.decode(value, path);
    return { ...endpoint, ...ipam };
  },
  encode: ({ ipv4Address, ipv6Address, ...endpoint }) =>
    wireEndpointCodec.encode({ ...endpoint, ipam: { ipv4Address, ipv6Address } }),
};
