import { Fault, goQuote } from "@hawser/base";
import {
  formatReference,
  parseAnyReference,
  parseReference,
  repositoryOf,
  withDefaultTag,
} from "@hawser/oci";
import { defineCommand } from "../../command.ts";
import { cliFaults } from "../../faults.ts";
import { imagePath } from "../each-argument.ts";

export const command = defineCommand({
  usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  flags: {},
  arguments: { min: 2, max: 2 },
  async run({ args, session }) {
    const [source = "", target = ""] = args;
    parse(source, parseAnyReference);
    const reference = parseTarget(target);
    const client = await session.connect();
    await client.command({
      method: "POST",
      path: imagePath(source, "tag"),
      query: { repo: formatReference(repositoryOf(reference)), tag: reference.tag },
    });
    return 0;
  },
});

function parseTarget(text: string) {
  const reference = withDefaultTag(parse(text, parseReference));
  if (reference.digest !== undefined) {
    throw cliFaults.VALUE_INVALID("refusing to create a tag with a digest reference");
  }
  return reference;
}

function parse<T>(text: string, parser: (text: string) => T): T {
  try {
    return parser(text);
  } catch (error) {
    const why = Fault.from(error).message;
    throw cliFaults.VALUE_INVALID(
      `Error parsing reference: ${goQuote(text)} is not a valid repository/tag: ${why}`,
    );
  }
}
