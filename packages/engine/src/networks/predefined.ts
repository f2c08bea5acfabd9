import { createHash } from "node:crypto";
import type { BridgeInfo } from "@hawser/network";
import type { NetworkRecord } from "./network-record.ts";

/** The networks that every engine has, as Docker shows them. */
export function predefinedRecords(
  info: BridgeInfo,
  { createdAtMs, hostBinding }: { readonly createdAtMs: number; readonly hostBinding: string },
): readonly NetworkRecord[] {
  const base = {
    createdAtMs,
    enableIpv4: true,
    enableIpv6: false,
    subnets: [],
    internal: false,
    attachable: false,
    configOnly: false,
    configFrom: "",
    options: {},
    labels: {},
  };
  return [
    {
      ...base,
      id: predefinedIdOf("bridge"),
      name: "bridge",
      driver: "bridge",
      enableIpv6: info.ipv6 !== undefined,
      subnets: [
        {
          subnet: info.subnet,
          gateway: info.gateway,
          ...(info.range !== undefined && { ipRange: info.range }),
        },
        ...(info.ipv6 ? [info.ipv6] : []),
      ],
      options: {
        "com.docker.network.bridge.default_bridge": "true",
        "com.docker.network.bridge.enable_icc": String(info.interContainer),
        "com.docker.network.bridge.enable_ip_masquerade": String(info.masquerade),
        "com.docker.network.bridge.host_binding_ipv4": hostBinding,
        "com.docker.network.bridge.name": info.bridge,
        "com.docker.network.driver.mtu": String(info.mtu),
      },
    },
    { ...base, id: predefinedIdOf("host"), name: "host", driver: "host" },
    { ...base, id: predefinedIdOf("none"), name: "none", driver: "null" },
  ];
}

/** The predefined networks have the same ids on every host. */
export function predefinedIdOf(name: "bridge" | "host" | "none"): string {
  return createHash("sha256").update(`hawser network ${name}`).digest("hex");
}
