import { defineCommand } from "../../command.ts";
import { ContextStore, metaOf } from "../../contexts/context-store.ts";
import { defaultContext } from "../../contexts/docker-endpoint.ts";
import { stringFlag } from "../../flags/flag-kinds.ts";
import { formatUsage } from "../format-usage.ts";
import { inspectObjects } from "../inspect-objects.ts";

export const command = defineCommand({
  usage: "[OPTIONS] [CONTEXT] [CONTEXT...]",
  flags: { format: stringFlag(formatUsage(), { short: "f" }) },
  arguments: { min: 0 },
  async run({ flags, args, session }) {
    const store = new ContextStore(session.configDir);
    return await inspectObjects({
      session,
      names: args.length === 0 ? [session.contextName] : args,
      format: flags.format,
      find: async (name) => {
        if (name === "default") {
          return JSON.stringify({
            ...metaOf({ ...defaultContext(session), description: "" }),
            TLSMaterial: {},
            Storage: { MetadataPath: "<IN MEMORY>", TLSPath: "<IN MEMORY>" },
          });
        }
        const files = Object.keys(store.tlsFiles(name));
        return JSON.stringify({
          ...metaOf(store.read(name)),
          TLSMaterial: files.length > 0 ? { docker: files } : {},
          Storage: { MetadataPath: store.metaFolder(name), TLSPath: store.tlsFolder(name) },
        });
      },
    });
  },
});
