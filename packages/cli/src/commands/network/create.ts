import type { NetworkInspect } from "@hawser/api";
import { defineCommand } from "../../command.ts";
import { boolFlag, commaListFlag, listFlag, mapFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { checkLabel } from "../../options/host-option.ts";
import { ipamConfigFrom } from "../../options/ipam-option.ts";
import { printLine } from "../../session.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NETWORK",
  flags: {
    attachable: boolFlag("Enable manual container attachment"),
    "aux-address": mapFlag("Auxiliary IPv4 or IPv6 addresses used by Network driver"),
    "config-from": stringFlag("The network from which to copy the configuration"),
    "config-only": boolFlag("Create a configuration only network"),
    driver: stringFlag("Driver to manage the Network", { short: "d", initial: "bridge" }),
    gateway: commaListFlag("IPv4 or IPv6 Gateway for the master subnet"),
    ingress: boolFlag("Create swarm routing-mesh network"),
    internal: boolFlag("Restrict external access to the network"),
    "ip-range": commaListFlag("Allocate container ip from a sub-range"),
    "ipam-driver": stringFlag("IP Address Management Driver", { initial: "default" }),
    "ipam-opt": mapFlag("Set IPAM driver specific options"),
    ipv4: boolFlag("Enable or disable IPv4 address assignment", { initial: true }),
    ipv6: boolFlag("Enable or disable IPv6 address assignment"),
    label: listFlag("Set metadata on a network", { check: checkLabel }),
    opt: mapFlag("Set driver specific options", { short: "o" }),
    scope: stringFlag("Control the network's scope"),
    subnet: commaListFlag("Subnet in CIDR format that represents a network segment"),
  },
  arguments: { min: 1, max: 1 },
  async run({ flags, changed, args, session }) {
    const client = await session.connect();
    const config = ipamConfigFrom({
      subnets: flags.subnet,
      ranges: flags["ip-range"],
      gateways: flags.gateway,
      auxiliary: flags["aux-address"],
    });
    const labels = flags.label.map((text) => {
      const at = text.indexOf("=");
      return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
    });
    const { Id } = await client.json<Pick<NetworkInspect, "Id">>({
      method: "POST",
      path: "/networks/create",
      json: {
        Name: args[0],
        Driver: flags.driver,
        Scope: flags.scope,
        ...(changed.has("ipv4") && { EnableIPv4: flags.ipv4 }),
        ...(changed.has("ipv6") && { EnableIPv6: flags.ipv6 }),
        IPAM: {
          Driver: flags["ipam-driver"],
          Options: Object.fromEntries(flags["ipam-opt"]),
          Config: config,
        },
        Internal: flags.internal,
        Attachable: flags.attachable,
        Ingress: flags.ingress,
        ConfigOnly: flags["config-only"],
        ...(flags["config-from"] !== "" && { ConfigFrom: { Network: flags["config-from"] } }),
        Options: Object.fromEntries(flags.opt),
        Labels: Object.fromEntries(labels),
      },
    });
    await printLine(session, Id);
    return 0;
  },
});
