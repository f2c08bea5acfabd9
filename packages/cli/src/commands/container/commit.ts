import { formatReference, parseReference, repositoryOf, withDefaultTag } from "@hawser/oci";
import { defineCommand } from "../../command.ts";
import { boolFlag, listFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { printLine } from "../../session.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
  flags: {
    author: stringFlag('Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")', { short: "a" }),
    change: listFlag("Apply Dockerfile instruction to the created image", { short: "c" }),
    message: stringFlag("Commit message", { short: "m" }),
    pause: boolFlag("Pause container during commit", { short: "p", initial: true }),
  },
  arguments: { min: 1, max: 2 },
  async run({ flags, args, session }) {
    const [container, name = ""] = args;
    const reference = name === "" ? undefined : withDefaultTag(parseReference(name));
    const client = await session.connect();
    const { Id } = await client.json<{ readonly Id: string }>({
      method: "POST",
      path: "/commit",
      query: {
        container,
        ...(reference && { repo: formatReference(repositoryOf(reference)), tag: reference.tag }),
        author: flags.author || undefined,
        comment: flags.message || undefined,
        changes: flags.change,
        pause: flags.pause ? undefined : false,
      },
      json: {},
    });
    await printLine(session, Id);
    return 0;
  },
});
