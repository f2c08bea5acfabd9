import { defineCommand } from "../../command.ts";
import { ContextStore } from "../../contexts/context-store.ts";
import { defaultContext } from "../../contexts/docker-endpoint.ts";
import { boolFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { formatList, type ListLayout } from "../../format/list-format.ts";
import { warnLine, write } from "../../session.ts";
import { formatUsage } from "../format-usage.ts";

interface Row {
  readonly name: string;
  readonly description: string;
  readonly host: string;
  readonly isCurrent: boolean;
  readonly error: string;
}

const layout: ListLayout<Row> = {
  fields: {
    Current: { header: "", value: ({ isCurrent }) => isCurrent },
    Description: { header: "DESCRIPTION", value: ({ description }) => description },
    DockerEndpoint: { header: "DOCKER ENDPOINT", value: ({ host }) => host },
    Error: { header: "ERROR", value: ({ error }) => error },
    Name: { header: "NAME", value: ({ name }) => name },
  },
  typeName: "*formatter.clientContextContext",
  table: "{{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}",
};

export const command = defineCommand({
  usage: "[OPTIONS]",
  flags: {
    format: stringFlag(formatUsage({ table: true })),
    quiet: boolFlag("Only show context names", { short: "q" }),
  },
  arguments: { min: 0, max: 0 },
  async run({ flags, session }) {
    const current = session.contextName;
    const contexts = [defaultContext(session), ...new ContextStore(session.configDir).list()];
    const rows = contexts.map(({ name, description, endpoint }) => ({
      name,
      description,
      host: endpoint.host,
      isCurrent: name === current,
      error: "",
    }));
    if (!rows.some(({ isCurrent }) => isCurrent)) {
      const error = `context "${current}": context not found`;
      rows.push({ name: current, description: "", host: "", isCurrent: true, error });
    }
    const format = flags.quiet ? "{{.Name}}" : flags.format || "table";
    await write(session.stdout, formatList(rows, layout, format));
    if (session.environment["DOCKER_HOST"]) {
      await warnLine(
        session,
        "Warning: DOCKER_HOST environment variable overrides the active context. To use a context, either set the global --context flag, or unset DOCKER_HOST environment variable.",
      );
    }
    return 0;
  },
});
