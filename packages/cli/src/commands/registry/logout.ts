import { defineCommand } from "../../command.ts";
import { eraseCredentials, registryKey } from "../../credential-store.ts";
import { printLine } from "../../session.ts";
import { registryOf } from "./registry-name.ts";

export const command = defineCommand({
  usage: "[SERVER]",
  description: "Log out from a registry.\nIf no server is specified, the default is defined by the daemon.",
  flags: {},
  arguments: { min: 0, max: 1 },
  async run({ args, session }) {
    const domain = registryOf(args[0] ?? "");
    const shown = domain === "docker.io" ? registryKey(domain) : domain;
    const known = await eraseCredentials(session, domain);
    await printLine(session, known ? `Removing login credentials for ${shown}` : `Not logged in to ${shown}`);
    return 0;
  },
});
