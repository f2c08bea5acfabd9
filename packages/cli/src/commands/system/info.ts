import type { SystemInfo } from "@hawser/api";
import { Fault, version as programVersion } from "@hawser/base";
import { parseExactJson } from "@hawser/base/template";
import { defineCommand } from "../../command.ts";
import { stringFlag } from "../../flags/flag-kinds.ts";
import { formatBinarySize } from "../../format/humanize.ts";
import { type DescribedPlugin, describePlugins } from "../../plugins/describe-plugins.ts";
import { type Session, warnLine, write } from "../../session.ts";
import { formatUsage } from "../format-usage.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  flags: { format: stringFlag(formatUsage(), { short: "f" }) },
  arguments: { min: 0, max: 0 },
  async run({ flags, session }) {
    if (flags.format !== "") return await printFormatted(session, flags.format);
    const asked = askServer(session); // answers while the plugins do
    asked.catch(() => {}); // told below
    const plugins = await describePlugins(session);
    await write(session.stdout, clientSection(session, plugins));
    for (const { Path, Err } of plugins)
      if (Err !== undefined) await warnLine(session, `WARNING: Plugin "${Path}" is not valid: ${Err}`);
    try {
      const info = JSON.parse(await asked) as Partial<SystemInfo>;
      await write(session.stdout, `\nServer:\n${formatInfo(info)}\n\n`);
      for (const warning of info.Warnings ?? []) await warnLine(session, warning);
      return 0;
    } catch (error) {
      await write(session.stdout, "\nServer:\n");
      const { message } = Fault.from(error);
      const answered = message.startsWith("Error response from daemon");
      await warnLine(session, answered ? `ERROR: ${message}\nerrors pretty printing info` : message);
      return 1;
    }
  },
});

async function askServer(session: Session): Promise<string> {
  const client = await session.connect();
  return await client.text({ method: "GET", path: "/info" });
}

async function printFormatted(session: Session, format: string): Promise<number> {
  const { openTemplate, goValueFromJson } = await import("@hawser/base/template");
  const template = format === "json" ? undefined : openTemplate(format);
  const [answer, plugins] = await Promise.all([askServer(session), describePlugins(session)]);
  const server = parseExactJson(answer) as object;
  const info = {
    ...server,
    ClientInfo: {
      Debug: session.debug,
      Version: programVersion,
      Context: session.contextName,
      Plugins: plugins,
      Warnings: null,
    },
  };
  const text =
    template === undefined
      ? JSON.stringify(info)
      : template.run(goValueFromJson(info, { typeName: "system.hawserInfo" }));
  await write(session.stdout, `${text}\n`);
  return 0;
}

function clientSection(session: Session, plugins: readonly DescribedPlugin[]): string {
  const good = plugins.filter(({ Err }) => Err === undefined);
  const about = good.flatMap(({ Name, ShortDescription = "", Vendor, Version = "", Path }) => [
    `  ${Name}: ${ShortDescription} (${Vendor})`,
    ...(Version === "" ? [] : [`    Version:  ${Version}`]),
    `    Path:     ${Path}`,
  ]);
  return [
    "Client:",
    ` Version:    ${programVersion}`,
    ` Context:    ${session.contextName}`,
    ` Debug Mode: ${session.debug}`,
    ...(about.length === 0 ? [] : [" Plugins:", ...about]),
    "",
  ].join("\n");
}

function formatInfo(info: Partial<SystemInfo>): string {
  return [
    ...counts(info),
    ...storage(info),
    ...plugins(info),
    ...runtimes(info),
    ...host(info),
    ...settings(info),
  ]
    .map((line) => ` ${line}`)
    .join("\n");
}

function counts(info: Partial<SystemInfo>): readonly string[] {
  return [
    `Containers: ${info.Containers ?? 0}`,
    ` Running: ${info.ContainersRunning ?? 0}`,
    ` Paused: ${info.ContainersPaused ?? 0}`,
    ` Stopped: ${info.ContainersStopped ?? 0}`,
    `Images: ${info.Images ?? 0}`,
    ...line("Server Version", info.ServerVersion),
  ];
}

function storage(info: Partial<SystemInfo>): readonly string[] {
  return [
    ...line("Storage Driver", info.Driver),
    ...(info.DriverStatus ?? []).map(([name, value]) => ` ${name}: ${value}`),
    ...line("Logging Driver", info.LoggingDriver),
    ...line("Cgroup Driver", info.CgroupDriver),
    ...line("Cgroup Version", info.CgroupVersion),
  ];
}

function plugins(info: Partial<SystemInfo>): readonly string[] {
  const { Volume = [], Network = [], Authorization, Log = [] } = info.Plugins ?? {};
  return [
    "Plugins:",
    ` Volume: ${Volume.join(" ")}`,
    ` Network: ${Network.join(" ")}`,
    ...(Authorization && Authorization.length > 0 ? [` Authorization: ${Authorization.join(" ")}`] : []),
    ` Log: ${Log.join(" ")}`,
    ...line("Swarm", info.Swarm?.LocalNodeState),
  ];
}

function runtimes(info: Partial<SystemInfo>): readonly string[] {
  const names = Object.keys(info.Runtimes ?? {}).toSorted();
  return [
    ...(names.length > 0 ? [`Runtimes: ${names.join(" ")}`] : []),
    ...line("Default Runtime", info.DefaultRuntime),
    ...line("Init Binary", info.InitBinary),
    ...line("containerd version", info.ContainerdCommit?.ID),
    ...line("runc version", info.RuncCommit?.ID),
    `init version: ${info.InitCommit?.ID ?? ""}`,
    ...securityOptions(info.SecurityOptions ?? []),
  ];
}

/** `name=seccomp,profile=default` → the name, and its settings below. */
function securityOptions(options: readonly string[]): readonly string[] {
  if (options.length === 0) return [];
  const lines = options.flatMap((option) => {
    const pairs = option.split(",").map((pair) => pair.split("="));
    return pairs.map(([key = "", value = ""]) =>
      key === "name" ? ` ${value}` : `  ${key.charAt(0).toUpperCase()}${key.slice(1)}: ${value}`,
    );
  });
  return ["Security Options:", ...lines];
}

function host(info: Partial<SystemInfo>): readonly string[] {
  return [
    ...line("Kernel Version", info.KernelVersion),
    ...line("Operating System", info.OperatingSystem),
    ...line("OSType", info.OSType),
    ...line("Architecture", info.Architecture),
    `CPUs: ${info.NCPU ?? 0}`,
    `Total Memory: ${formatBinarySize(info.MemTotal ?? 0)}`,
    ...line("Name", info.Name),
    ...line("ID", info.ID),
    ...line("Docker Root Dir", info.DockerRootDir),
    `Debug Mode: ${info.Debug ?? false}`,
  ];
}

function settings(info: Partial<SystemInfo>): readonly string[] {
  const registries = info.RegistryConfig;
  const insecure = [
    ...Object.values(registries?.IndexConfigs ?? {})
      .filter(({ Secure }) => !Secure)
      .map(({ Name }) => Name),
    ...(registries?.InsecureRegistryCIDRs ?? []),
  ];
  const mirrors = registries?.Mirrors ?? [];
  return [
    ...line("HTTP Proxy", info.HttpProxy),
    ...line("HTTPS Proxy", info.HttpsProxy),
    ...line("No Proxy", info.NoProxy),
    ...((info.Labels ?? []).length > 0
      ? ["Labels:", ...(info.Labels ?? []).map((label) => ` ${label}`)]
      : []),
    `Experimental: ${info.ExperimentalBuild ?? false}`,
    ...(insecure.length > 0 ? ["Insecure Registries:", ...insecure.map((name) => ` ${name}`)] : []),
    ...(mirrors.length > 0 ? ["Registry Mirrors:", ...mirrors.map((mirror) => ` ${mirror}`)] : []),
    `Live Restore Enabled: ${info.LiveRestoreEnabled ?? false}`,
  ];
}

function line(label: string, value: string | undefined): readonly string[] {
  return value ? [`${label}: ${value}`] : [];
}
