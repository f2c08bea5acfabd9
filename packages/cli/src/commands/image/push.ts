import { formatFamiliar, formatReference, parseReference, repositoryOf, withDefaultTag } from "@hawser/oci";
import { defineCommand } from "../../command.ts";
import { cliFaults } from "../../faults.ts";
import { boolFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { showProgress } from "../../format/progress.ts";
import { platformJsonQuery } from "../../options/platform-option.ts";
import { registryAuthHeaders } from "../../registry-auth.ts";
import { printLine } from "../../session.ts";
import { imagePath } from "../each-argument.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NAME[:TAG]",
  flags: {
    "all-tags": boolFlag("Push all tags of an image to the repository", { short: "a" }),
    "disable-content-trust": boolFlag("Skip image signing", { initial: true }),
    platform: stringFlag(
      "Push a platform-specific manifest as a single-platform image to the registry.\nImage index won't be pushed, meaning that other manifests, including attestations won't be preserved.\n'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)",
    ),
    quiet: boolFlag("Suppress verbose output", { short: "q" }),
  },
  arguments: { min: 1, max: 1 },
  async run({ flags, args: [name = ""], session }) {
    const reference = parseReference(name);
    const all = flags["all-tags"];
    if (all && reference.tag !== undefined) {
      throw cliFaults.OPTIONS_CONFLICT("tag can't be used with --all-tags/-a");
    }
    // Without a tag all of them would go.
    if (reference.digest !== undefined) throw cliFaults.OPTIONS_CONFLICT("cannot push a digest reference");
    const wanted = all ? reference : withDefaultTag(reference);
    if (!all && wanted !== reference && !flags.quiet)
      await printLine(session, `Using default tag: ${wanted.tag}`);
    const client = await session.connect();
    const { body } = await client.send({
      method: "POST",
      path: imagePath(formatFamiliar(repositoryOf(wanted)), "push"),
      query: {
        tag: wanted.tag,
        ...platformJsonQuery(flags.platform),
      },
      headers: await registryAuthHeaders(session, wanted.domain),
    });
    await showProgress(body, flags.quiet ? undefined : session.stdout);
    if (flags.quiet) await printLine(session, formatReference(wanted));
    return 0;
  },
});
