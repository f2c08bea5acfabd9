import { Fault } from "@hawser/base";
import { familiarName, parseReference, repositoryOf, withDefaultTag } from "@hawser/oci";
import { cliFaults } from "../../cli-faults.ts";
import { defineCommand } from "../../command.ts";
import { goQuote } from "../../format/go-quote.ts";
import { imagePath } from "../each-argument.ts";

export const command = defineCommand({
  usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  flags: {},
  arguments: { min: 2, max: 2 },
  async run({ args, session }) {
    const [source = "", target = ""] = args;
    const client = await session.connect();
    const reference = parseTarget(target);
    await client.command({
      method: "POST",
      path: imagePath(source, "tag"),
      query: { repo: familiarName(repositoryOf(reference)), tag: reference.tag },
    });
    return 0;
  },
});

function parseTarget(text: string) {
  try {
    const reference = withDefaultTag(parseReference(text));
    if (reference.digest !== undefined) {
      throw cliFaults.VALUE_INVALID("refusing to create a tag with a digest reference");
    }
    return reference;
  } catch (error) {
    if (!Fault.is(error) || error.code === "VALUE_INVALID") throw error;
    throw cliFaults.VALUE_INVALID(
      `Error parsing reference: ${goQuote(text)} is not a valid repository/tag: ${error.message}`,
    );
  }
}
