import { formatFilters, type ImageSearchItem } from "@hawser/api";
import { defineCommand } from "../../command.ts";
import { boolFlag, filterFlag, intFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { formatList } from "../../format/list-format.ts";
import { searchLayout } from "../../format/search-fields.ts";
import { registryAuthHeaders } from "../../registry-auth.ts";
import { write } from "../../session.ts";

export const command = defineCommand({
  usage: "[OPTIONS] TERM",
  flags: {
    filter: filterFlag("Filter output based on conditions provided", { short: "f" }),
    format: stringFlag("Pretty-print search using a Go template"),
    limit: intFlag("Max number of search results"),
    "no-trunc": boolFlag("Don't truncate output"),
  },
  arguments: { min: 1, max: 1 },
  async run({ flags, args: [term = ""], session }) {
    const [host = "", rest] = term.split("/", 2);
    const domain = rest !== undefined && (/[.:]/.test(host) || host === "localhost") ? host : "docker.io";
    const client = await session.connect();
    const found = await client.json<readonly ImageSearchItem[]>({
      method: "GET",
      path: "/images/search",
      query: { term, limit: flags.limit || undefined, filters: formatFilters(flags.filter) },
      headers: await registryAuthHeaders(session, domain),
    });
    const layout = searchLayout({ truncate: !flags["no-trunc"] });
    await write(session.stdout, formatList(found, layout, flags.format || "table"));
    return 0;
  },
});
