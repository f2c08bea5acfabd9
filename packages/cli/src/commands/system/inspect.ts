import type { EngineClient } from "@hawser/api/client";
import { Fault, goQuote } from "@hawser/base";
import { defineCommand } from "../../command.ts";
import { cliFaults } from "../../faults.ts";
import { boolFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { containerPath, imagePath } from "../each-argument.ts";
import { formatUsage } from "../format-usage.ts";
import { inspectObjects } from "../inspect-objects.ts";

/** What can be inspected, in the order in which a name is looked for. */
const kinds: Readonly<Record<string, (name: string) => string>> = {
  container: (name) => containerPath(name, "json"),
  image: (name) => imagePath(name, "json"),
  network: (name) => `/networks/${encodeURIComponent(name)}`,
  volume: (name) => `/volumes/${encodeURIComponent(name)}`,
};

export const command = defineCommand({
  usage: "[OPTIONS] NAME|ID [NAME|ID...]",
  flags: {
    format: stringFlag(formatUsage(), { short: "f" }),
    size: boolFlag("Display total file sizes if the type is container", { short: "s" }),
    type: stringFlag("Only inspect objects of the given type"),
  },
  arguments: { min: 1 },
  async run({ flags, changed, args, session }) {
    if (changed.has("type") && !Object.hasOwn(kinds, flags.type)) {
      throw cliFaults.VALUE_INVALID(
        flags.type === ""
          ? 'type is empty: must be one of "container", "image", "network", "volume"'
          : `unknown type: ${goQuote(flags.type)}: must be one of "container", "image", "network", "volume"`,
      );
    }
    const client = await session.connect();
    const wanted = flags.type === "" ? Object.keys(kinds) : [flags.type];
    return await inspectObjects({
      session,
      names: args,
      format: flags.format,
      find: (name) => findAny(client, { name, kinds: wanted, size: flags.size }),
    });
  },
});

async function findAny(
  client: EngineClient,
  options: { readonly name: string; readonly kinds: readonly string[]; readonly size: boolean },
): Promise<string> {
  for (const kind of options.kinds) {
    const path = kinds[kind]?.(options.name);
    if (path === undefined) continue;
    try {
      const query = kind === "container" && options.size ? { size: true } : {};
      return await client.text({ method: "GET", path, query });
    } catch (error) {
      const elsewhere = Fault.is(error, "not-found") && options.kinds.length > 1;
      // a name that cannot be an image's may still be another's
      const notItsName = Fault.is(error, "invalid-argument") && options.kinds.length > 1;
      if (!elsewhere && !notItsName) throw error;
    }
  }
  throw cliFaults.OBJECT_NOT_FOUND(options.name);
}
