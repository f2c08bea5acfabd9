import { once } from "node:events";
import { formatFilters } from "@hawser/api";
import { defineCommand } from "../../command.ts";
import { boolFlag, filterFlag } from "../../flags/flag-kinds.ts";
import { printLine, type Session, write } from "../../session.ts";

const warning = `WARNING! This will remove all custom networks not used by at least one container.
Are you sure you want to continue? [y/N] `;

export const command = defineCommand({
  usage: "[OPTIONS]",
  flags: {
    filter: filterFlag('Provide filter values (e.g. "until=<timestamp>")'),
    force: boolFlag("Do not prompt for confirmation", { short: "f" }),
  },
  arguments: { min: 0, max: 0 },
  async run({ flags, session }) {
    if (!flags.force && !(await isSure(session))) return 1;
    const client = await session.connect();
    const { NetworksDeleted } = await client.json<{ readonly NetworksDeleted: readonly string[] | null }>({
      method: "POST",
      path: "/networks/prune",
      query: { filters: formatFilters(flags.filter) },
    });
    if (NetworksDeleted === null || NetworksDeleted.length === 0) return 0;
    await printLine(session, `Deleted Networks:\n${NetworksDeleted.join("\n")}\n`);
    return 0;
  },
});

/** Only a line that says `y` or `yes` is a yes; the end of input is none. */
async function isSure(session: Session): Promise<boolean> {
  await write(session.stdout, warning);
  let text = "";
  const collect = (data: Uint8Array | string) => {
    text += String(data);
    if (text.includes("\n")) session.stdin.emit("answered");
  };
  session.stdin.on("data", collect);
  session.stdin.once("end", () => session.stdin.emit("answered"));
  await once(session.stdin, "answered");
  session.stdin.off("data", collect).pause();
  return ["y", "yes"].includes((text.split("\n")[0] ?? "").trim().toLowerCase());
}
