import { defineCommand } from "../command.ts";
import { scripts } from "../completion/scripts.ts";
import { cliFaults } from "../faults.ts";
import { write } from "../session.ts";

export const command = defineCommand({
  usage: "bash|fish|zsh",
  flags: {},
  arguments: { min: 1, max: 1 },
  async run({ args, session }) {
    const [shell = ""] = args;
    if (shell !== "bash" && shell !== "fish" && shell !== "zsh")
      throw cliFaults.VALUE_INVALID(`no completion for "${shell}": bash, fish or zsh was wanted`);
    await write(session.stdout, scripts[shell]);
    return 0;
  },
});
