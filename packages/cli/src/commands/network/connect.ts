import { defineCommand } from "../../command.ts";
import { commaListFlag, intFlag, listFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { checkLink, parseIpAddress } from "../../options/host-option.ts";
import { networkPath } from "../each-argument.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NETWORK CONTAINER",
  flags: {
    alias: commaListFlag("Add network-scoped alias for the container"),
    "driver-opt": commaListFlag("driver options for the network"),
    "gw-priority": intFlag(
      "Highest gw-priority provides the default gateway. Accepts positive and negative values.",
    ),
    ip: stringFlag('IPv4 address (e.g., "172.30.100.104")'),
    ip6: stringFlag('IPv6 address (e.g., "2001:db8::33")'),
    link: listFlag("Add link to another container", { check: checkLink }),
    "link-local-ip": commaListFlag("Add a link-local address for the container"),
  },
  arguments: { min: 2, max: 2 },
  async run({ flags, args, session }) {
    const [network = "", container = ""] = args;
    const addresses = [flags.ip, flags.ip6].map((text) => (text === "" ? "" : parseIpAddress(text)));
    const client = await session.connect();
    await client.command({
      method: "POST",
      path: networkPath(network, "connect"),
      json: {
        Container: container,
        EndpointConfig: {
          IPAMConfig: {
            IPv4Address: addresses[0],
            IPv6Address: addresses[1],
            LinkLocalIPs: flags["link-local-ip"],
          },
          Links: flags.link,
          Aliases: flags.alias,
          DriverOpts: Object.fromEntries(flags["driver-opt"].map((text) => text.split(/=(.*)/s).slice(0, 2))),
          GwPriority: flags["gw-priority"],
        },
      },
    });
    return 0;
  },
});
