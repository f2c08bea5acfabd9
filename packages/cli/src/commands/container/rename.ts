import { defineCommand } from "../../command.ts";
import { valueError } from "../../options/value-error.ts";
import { containerPath } from "../each-argument.ts";

export const command = defineCommand({
  usage: "CONTAINER NEW_NAME",
  flags: {},
  arguments: { min: 2, max: 2 },
  async run({ args, session }) {
    const [container = "", name = ""] = args.map((arg) => arg.trim());
    if (container === "" || name === "") throw valueError("Error: Neither old nor new names may be empty");
    const client = await session.connect();
    await client.command({ method: "POST", path: containerPath(container, "rename"), query: { name } });
    return 0;
  },
});
