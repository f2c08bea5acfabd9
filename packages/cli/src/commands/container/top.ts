import type { ContainerTopResponse } from "@hawser/api";
import { defineCommand } from "../../command.ts";
import { alignColumns } from "../../format/table-writer.ts";
import { write } from "../../session.ts";
import { containerPath } from "../each-argument.ts";

export const command = defineCommand({
  usage: "CONTAINER [ps OPTIONS]",
  flags: {},
  arguments: { min: 1 },
  stopAtFirst: true,
  async run({ args, session }) {
    const [container = "", ...options] = args;
    const client = await session.connect();
    const { Titles, Processes } = await client.json<ContainerTopResponse>({
      method: "GET",
      path: containerPath(container, "top"),
      query: { ps_args: options.length === 0 ? undefined : options.join(" ") },
    });
    const lines = [Titles, ...(Processes ?? [])].map((fields) => fields.join("\t"));
    await write(session.stdout, alignColumns(`${lines.join("\n")}\n`, { minWidth: 20 }));
    return 0;
  },
});
