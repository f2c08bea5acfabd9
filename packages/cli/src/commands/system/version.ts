import type { SystemVersion } from "@hawser/api";
import { newestApiVersion } from "@hawser/api";
import { Fault, version as programVersion } from "@hawser/base";
import { defineCommand } from "../../command.ts";
import { stringFlag } from "../../flags/flag-kinds.ts";
import { formatBuildTime } from "../../format/go-time.ts";
import { type Session, warnLine, write } from "../../session.ts";
import { formatUsage } from "../format-usage.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  flags: { format: stringFlag(formatUsage(), { short: "f" }) },
  arguments: { min: 0, max: 0 },
  async run({ flags, session }) {
    const print = flags.format === "" ? formatVersions : await templatePrinter(flags.format);
    const { server, apiVersion, failure } = await askServer(session);
    const client: ClientVersion = {
      Version: programVersion,
      ApiVersion: apiVersion ?? newestApiVersion,
      DefaultAPIVersion: newestApiVersion,
      NodeVersion: process.version,
      Os: process.platform,
      Arch: goArch(process.arch),
      Context: session.contextName,
    };
    await write(session.stdout, print({ Client: client, Server: server ?? null }));
    if (failure === undefined) return 0;
    await warnLine(session, failure);
    return 1;
  },
});

interface ClientVersion {
  readonly Version: string;
  readonly ApiVersion: string;
  readonly DefaultAPIVersion: string;
  readonly NodeVersion: string;
  readonly Os: string;
  readonly Arch: string;
  readonly Context: string;
}

interface Versions {
  readonly Client: ClientVersion;
  readonly Server: SystemVersion | null;
}

async function askServer(session: Session): Promise<{
  readonly server?: SystemVersion;
  readonly apiVersion?: string | undefined;
  readonly failure?: string;
}> {
  try {
    const client = await session.connect();
    const server = await client.json<SystemVersion>({ method: "GET", path: "/version" });
    return { server, apiVersion: client.version };
  } catch (error) {
    return { failure: Fault.from(error).message };
  }
}

async function templatePrinter(format: string): Promise<(versions: Versions) => string> {
  if (format === "json") return (versions) => `${JSON.stringify(versions)}\n`;
  const { openTemplate, goValueFromJson } = await import("@hawser/base/template");
  const template = openTemplate(format, { name: "version" });
  return (versions) => `${template.run(goValueFromJson(versions, { typeName: "system.versionInfo" }))}\n`;
}

function goArch(arch: string): string {
  return arch === "x64" ? "amd64" : arch === "ia32" ? "386" : arch;
}

function formatVersions({ Client, Server }: Versions): string {
  const downgraded =
    Client.ApiVersion === Client.DefaultAPIVersion ? "" : ` (downgraded from ${Client.DefaultAPIVersion})`;
  const client = section("Client:", [
    [" Version:", Client.Version],
    [" API version:", `${Client.ApiVersion}${downgraded}`],
    [" Node version:", Client.NodeVersion],
    [" OS/Arch:", `${Client.Os}/${Client.Arch}`],
    [" Context:", Client.Context],
  ]);
  return Server === null ? client : `${client}\n${formatServer(Server)}`;
}

function formatServer(server: SystemVersion): string {
  const platform = server.Platform?.Name ? ` ${server.Platform.Name}` : "";
  const components = server.Components ?? [];
  return `Server:${platform}\n${components.map(formatComponent).join("")}`;
}

function formatComponent(component: SystemVersion["Components"][number]): string {
  const details = component.Details ?? {};
  const name = ` ${component.Name}:`;
  if (component.Name !== "Engine") {
    const rows = Object.entries(details).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return section(name, [
      ["  Version:", component.Version],
      ...rows.map(([key, value]) => [`  ${key}:`, value] as const),
    ]);
  }
  const language = details["GoVersion"] ?? "";
  return section(name, [
    ["  Version:", component.Version],
    ["  API version:", `${details["ApiVersion"] ?? ""} (minimum version ${details["MinAPIVersion"] ?? ""})`],
    [language.startsWith("node") ? "  Node version:" : "  Go version:", language.replace(/^node(?=\d)/, "v")],
    ["  Git commit:", details["GitCommit"] ?? ""],
    ["  Built:", formatBuildTime(details["BuildTime"] ?? "")],
    ["  OS/Arch:", `${details["Os"] ?? ""}/${details["Arch"] ?? ""}`],
    ["  Experimental:", details["Experimental"] ?? ""],
  ]);
}

function section(title: string, rows: readonly (readonly [string, string])[]): string {
  return `${title}\n${rows.map(([label, value]) => `${label.padEnd(19)} ${value}\n`).join("")}`;
}
