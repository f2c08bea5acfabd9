import { defineCommand } from "../../command.ts";
import { ContextStore, checkContextName } from "../../contexts/context-store.ts";
import {
  describeEndpoint,
  endpointFlag,
  endpointHelp,
  sourceContext,
} from "../../contexts/docker-endpoint.ts";
import { cliFaults } from "../../faults.ts";
import { stringFlag } from "../../flags/flag-kinds.ts";
import { printLine, warnLine } from "../../session.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTEXT",
  description: endpointHelp("create"),
  flags: {
    description: stringFlag("Description of the context"),
    docker: endpointFlag("set the docker endpoint"),
    from: stringFlag("create context from a named context"),
  },
  arguments: { min: 1, max: 1 },
  async run({ flags, args, changed, session }) {
    const [name = ""] = args;
    const store = new ContextStore(session.configDir);
    checkContextName(name);
    if (store.has(name)) throw cliFaults.CONTEXT_EXISTS(name);
    if (changed.has("docker")) {
      const { endpoint, tls } = describeEndpoint(session, flags.docker, { store, what: "create" });
      store.write({ name, description: flags.description, endpoint }, tls);
    } else {
      const { context, tls } = sourceContext(session, store, flags.from || session.contextName);
      store.write({ ...context, name, description: flags.description || context.description }, tls);
    }
    await printLine(session, name);
    await warnLine(session, `Successfully created context "${name}"`);
    return 0;
  },
});
