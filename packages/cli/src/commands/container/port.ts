import type { ContainerInspect } from "@hawser/api";
import { goQuote } from "@hawser/base";
import { defineCommand } from "../../command.ts";
import { cliFaults } from "../../faults.ts";
import { compareNaturally } from "../../format/natural-order.ts";
import { write } from "../../session.ts";
import { containerPath } from "../each-argument.ts";

export const command = defineCommand({
  usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  flags: {},
  arguments: { min: 1, max: 2 },
  async run({ args, session }) {
    const [container = "", wanted] = args;
    const client = await session.connect();
    const { NetworkSettings } = await client.json<ContainerInspect>({
      method: "GET",
      path: containerPath(container, "json"),
    });
    const ports = NetworkSettings.Ports;
    if (wanted !== undefined) {
      const [number = ""] = wanted.split("/");
      if (!/^\d{1,5}$/.test(number)) {
        throw cliFaults.VALUE_INVALID(
          `Error: invalid port (${number}): strconv.ParseUint: parsing ${goQuote(number)}: invalid syntax`,
        );
      }
      const bindings = ports[wanted.includes("/") ? wanted : `${wanted}/tcp`] ?? [];
      if (bindings.length === 0) throw cliFaults.PORT_NOT_PUBLISHED(wanted, container);
      await write(session.stdout, bindings.map((binding) => `${formatBinding(binding)}\n`).join(""));
      return 0;
    }
    const lines = Object.entries(ports).flatMap(([port, bindings]) =>
      (bindings ?? []).map((binding) => `${port} -> ${formatBinding(binding)}\n`),
    );
    lines.sort(compareNaturally);
    await write(session.stdout, lines.join(""));
    return 0;
  },
});

function formatBinding({
  HostIp = "",
  HostPort = "",
}: {
  readonly HostIp?: string;
  readonly HostPort?: string;
}): string {
  return `${HostIp.includes(":") ? `[${HostIp}]` : HostIp}:${HostPort}`;
}
