import { defineCommand } from "../../command.ts";
import { ContextStore, checkContextName } from "../../contexts/context-store.ts";
import { describeEndpoint, endpointFlag, endpointHelp } from "../../contexts/docker-endpoint.ts";
import { stringFlag } from "../../flags/flag-kinds.ts";
import { printLine, warnLine } from "../../session.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTEXT",
  description: endpointHelp("update"),
  flags: {
    description: stringFlag("Description of the context"),
    docker: endpointFlag("set the docker endpoint"),
  },
  arguments: { min: 1, max: 1 },
  async run({ flags, args, changed, session }) {
    const [name = ""] = args;
    const store = new ContextStore(session.configDir);
    checkContextName(name);
    const before = store.read(name);
    const described = changed.has("docker")
      ? describeEndpoint(session, flags.docker, { store, what: "update" })
      : undefined;
    const endpoint = described?.endpoint ?? before.endpoint;
    store.write({ name, description: flags.description || before.description, endpoint }, described?.tls);
    await printLine(session, name);
    await warnLine(session, `Successfully updated context "${name}"`);
    return 0;
  },
});
