import { parseReference } from "@hawser/oci";
import { defineCommand } from "../../command.ts";
import { listFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { showProgress } from "../../format/progress.ts";
import { platformQuery } from "../../options/platform-option.ts";
import { openArchive } from "./load.ts";

export const command = defineCommand({
  usage: "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
  flags: {
    change: listFlag("Apply Dockerfile instruction to the created image", { short: "c" }),
    message: stringFlag("Set commit message for imported image", { short: "m" }),
    platform: stringFlag("Set platform if server is multi-platform capable"),
  },
  arguments: { min: 1 },
  async run({ flags, args, session }) {
    const [source = "", name = ""] = args;
    if (name !== "") parseReference(name);
    const isUrl = /^https?:\/\//.test(source);
    const bytes = isUrl
      ? undefined
      : source === "-"
        ? session.stdin
        : openArchive(source, session.workingDir);
    const client = await session.connect();
    const { body } = await client.send({
      method: "POST",
      path: "/images/create",
      query: {
        fromSrc: isUrl ? source : "-",
        repo: name || undefined,
        message: flags.message || undefined,
        changes: flags.change,
        ...platformQuery(flags.platform),
      },
      ...(bytes !== undefined && { bytes }),
    });
    await showProgress(body, session.stdout);
    return 0;
  },
});
