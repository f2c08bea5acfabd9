import type { ImageDeleteItem } from "@hawser/api";
import { Fault } from "@hawser/base";
import { defineCommand } from "../../command.ts";
import { boolFlag, commaListFlag } from "../../flags/flag-kinds.ts";
import { printLine, warnLine } from "../../session.ts";
import { imagePath } from "../each-argument.ts";

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  flags: {
    force: boolFlag("Force removal of the image", { short: "f" }),
    "no-prune": boolFlag("Do not delete untagged parents"),
    platform: commaListFlag(
      'Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
  },
  arguments: { min: 1 },
  async run({ flags, args, session }) {
    const client = await session.connect();
    const refusals: Fault[] = [];
    for (const image of args) {
      try {
        const items = await client.json<readonly ImageDeleteItem[]>({
          method: "DELETE",
          path: imagePath(image),
          query: {
            force: flags.force || undefined,
            noprune: flags["no-prune"] || undefined,
            platforms: flags.platform,
          },
        });
        for (const item of items) {
          await printLine(
            session,
            "Deleted" in item ? `Deleted: ${item.Deleted}` : `Untagged: ${item.Untagged}`,
          );
        }
      } catch (error) {
        refusals.push(Fault.from(error));
      }
    }
    for (const { message } of refusals) await warnLine(session, message);
    const failed = refusals.some(({ kind }) => !(flags.force && kind === "not-found"));
    return failed ? 1 : 0;
  },
});
