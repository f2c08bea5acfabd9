import { formatFamiliar, formatReference, parseReference, withDefaultTag } from "@hawser/oci";
import { defineCommand } from "../../command.ts";
import { cliFaults } from "../../faults.ts";
import { boolFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { printLine } from "../../session.ts";
import { pullImage } from "./pull-image.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  flags: {
    "all-tags": boolFlag("Download all tagged images in the repository", { short: "a" }),
    "disable-content-trust": boolFlag("Skip image verification", { initial: true }),
    platform: stringFlag("Set platform if server is multi-platform capable"),
    quiet: boolFlag("Suppress verbose output", { short: "q" }),
  },
  arguments: { min: 1, max: 1 },
  async run({ flags, args: [name = ""], session }) {
    const reference = parseReference(name);
    const all = flags["all-tags"];
    const isNamed = reference.tag !== undefined || reference.digest !== undefined;
    if (all && isNamed) throw cliFaults.OPTIONS_CONFLICT("tag can't be used with --all-tags/-a");
    const wanted = all ? reference : withDefaultTag(reference);
    if (!all && !isNamed && !flags.quiet) await printLine(session, `Using default tag: ${wanted.tag}`);
    const client = await session.connect();
    await pullImage({
      session,
      client,
      image: formatFamiliar(wanted),
      all,
      platform: flags.platform,
      ...(!flags.quiet && { out: session.stdout }),
    });
    await printLine(session, formatReference(wanted));
    return 0;
  },
});
