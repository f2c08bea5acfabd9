import { defineCommand } from "../../command.ts";
import { valueError } from "../../options/value-error.ts";
import { write } from "../../session.ts";
import { containerPath } from "../each-argument.ts";

const letters = ["C", "A", "D"] as const;

export const command = defineCommand({
  usage: "CONTAINER",
  flags: {},
  arguments: { min: 1, max: 1 },
  async run({ args, session }) {
    const [container = ""] = args;
    if (container === "") throw valueError("Container name cannot be empty");
    const client = await session.connect();
    const changes = await client.json<readonly { readonly Path: string; readonly Kind: 0 | 1 | 2 }[] | null>({
      method: "GET",
      path: containerPath(container, "changes"),
    });
    const lines = (changes ?? []).map(({ Path, Kind }) => `${letters[Kind]} ${Path}\n`);
    await write(session.stdout, lines.join(""));
    return 0;
  },
});
