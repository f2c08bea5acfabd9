import type { Volume } from "@hawser/api";
import { defineCommand } from "../../command.ts";
import { listFlag, mapFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { printLine } from "../../session.ts";

export const command = defineCommand({
  usage: "[OPTIONS] [VOLUME]",
  flags: {
    driver: stringFlag("Specify volume driver name", { short: "d", initial: "local" }),
    label: listFlag("Set metadata for a volume"),
    opt: mapFlag("Set driver specific options", { short: "o" }),
  },
  arguments: { min: 0, max: 1 },
  async run({ flags, args, session }) {
    const client = await session.connect();
    const volume = await client.json<Volume>({
      method: "POST",
      path: "/volumes/create",
      json: {
        Name: args[0] ?? "",
        Driver: flags.driver,
        DriverOpts: Object.fromEntries(flags.opt),
        Labels: Object.fromEntries(flags.label.map(splitLabel)),
      },
    });
    await printLine(session, volume.Name);
    return 0;
  },
});

export function splitLabel(text: string): [string, string] {
  const at = text.indexOf("=");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
