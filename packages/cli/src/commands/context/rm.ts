import { defineCommand } from "../../command.ts";
import { ContextStore } from "../../contexts/context-store.ts";
import { cliFaults } from "../../faults.ts";
import { boolFlag } from "../../flags/flag-kinds.ts";
import { readSettings, writeSettings } from "../../settings-file.ts";
import { eachArgument } from "../each-argument.ts";

export const command = defineCommand({
  usage: "CONTEXT [CONTEXT...]",
  flags: { force: boolFlag("Force the removal of a context in use", { short: "f" }) },
  arguments: { min: 1 },
  async run({ flags, args, session }) {
    const store = new ContextStore(session.configDir);
    return await eachArgument(session, args, {
      action: async (name) => {
        if (name === "default") throw cliFaults.VALUE_INVALID('context "default" cannot be removed');
        if (!flags.force && !store.has(name)) throw cliFaults.CONTEXT_ABSENT(name);
        const { currentContext, ...others } = readSettings(session);
        if (name === session.contextName && !flags.force) throw cliFaults.CONTEXT_IN_USE(name);
        store.remove(name);
        if (currentContext === name) await writeSettings(session, others);
        return name;
      },
    });
  },
});
