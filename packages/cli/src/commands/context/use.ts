import { defineCommand } from "../../command.ts";
import { ContextStore } from "../../contexts/context-store.ts";
import { printLine, warnLine } from "../../session.ts";
import { readSettings, writeSettings } from "../../settings-file.ts";

export const command = defineCommand({
  usage: "CONTEXT",
  flags: {},
  arguments: { min: 1, max: 1 },
  async run({ args, session }) {
    const [name = ""] = args;
    if (name !== "default") new ContextStore(session.configDir).read(name);
    const { currentContext: _, ...others } = readSettings(session);
    await writeSettings(session, { ...others, ...(name !== "default" && { currentContext: name }) });
    await printLine(session, name);
    await warnLine(session, `Current context is now "${name}"`);
    if (name !== "default" && session.environment["DOCKER_HOST"]) {
      await warnLine(
        session,
        `Warning: DOCKER_HOST environment variable overrides the active context. To use "${name}", either set the global --context flag, or unset DOCKER_HOST environment variable.`,
      );
    }
    return 0;
  },
});
