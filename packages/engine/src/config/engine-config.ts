import { existsSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { LogLevel } from "@hawser/base";
import type { UserMap } from "@hawser/oci";
import type { RegistrySettings } from "@hawser/registry/client";
import type { RuntimeProgram } from "../containers/host.ts";
import { buildCacheLimit } from "./build-cache-limit.ts";
import { type ContainerDefaults, containerDefaults } from "./container-defaults.ts";
import { configFaults } from "./faults.ts";
import { findHostPort, leadsTo } from "./host-port.ts";
import { type EngineProgram, layoutOf } from "./layout.ts";
import { parseListenHost } from "./listen-host.ts";
import { type ProxyVariables, proxyVariables } from "./proxy-variables.ts";
import { readConfigFile } from "./read-config-file.ts";
import { readFlags } from "./read-flags.ts";
import { findRuntimes, knownRuntimes } from "./runtimes.ts";
import { type ServerTls, serverTls } from "./server-tls.ts";
import type { AddressPool } from "./setting-kinds.ts";
import { allSettings, type Settings } from "./settings.ts";
import { parseUserMap, readAccountTexts } from "./user-map.ts";

/** What may change while the engine runs, by SIGHUP: dockerd's reloadable keys. */
export interface ReloadableConfig {
  readonly logLevel: LogLevel;
  readonly labels: readonly string[];
  readonly features: Readonly<Record<string, boolean>>;
  /** Name → OCI runtime. */
  readonly runtimes: Readonly<Record<string, RuntimeProgram>>;
  readonly defaultRuntime: string;
  /** Mirrors, hosts without encryption, and folders that say more of registries. */
  readonly registries: RegistrySettings;
  /** How long an OCI runtime may take to start a process; 0: for ever. */
  readonly runtimeDeadlineSeconds: number;
  readonly maxConcurrentDownloads: number;
  readonly maxConcurrentUploads: number;
  readonly maxDownloadAttempts: number;
  /** Containers go on when the engine stops. */
  readonly liveRestore: boolean;
  /** How long they may take to end, otherwise; -1: for ever. */
  readonly shutdownTimeoutSeconds: number;
}

export interface EngineConfig extends ReloadableConfig {
  readonly program: EngineProgram;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly pidFile: string;
  /** `unix:///path`, `tcp://host:port`, `fd://`: sockets that systemd has opened. */
  readonly hosts: readonly string[];
  /** For the hosts that are TCP; absent: they have no encryption. */
  readonly tls?: ServerTls;
  /** It was said that whoever reaches a TCP socket may be root on this host. */
  readonly plainTcp: boolean;
  /** Group that may use unix sockets of the API, when this host has it; it is as good as root. */
  readonly group: string;
  readonly logFormat: "text" | "json";
  readonly experimental: boolean;
  readonly containers: ContainerDefaults;
  readonly bridge: string;
  /** Gateway and prefix of the default bridge, `172.30.0.1/16`; absent: one that is free on this host. */
  readonly bridgeAddress?: string;
  /** The subnet that it has if that is free, and nothing is said of it. */
  readonly bridgePreferred?: string;
  /** Its addresses are given from there. */
  readonly bridgeRange?: string;
  /** Whether it has IPv6, and which, `fd00:1::/64`; empty: one that is the engine's own. */
  readonly bridgeAddress6?: string;
  /** Of the default bridge. */
  readonly mtu: number;
  readonly interContainer: boolean;
  readonly masquerade: boolean;
  /** The host's address for the default bridge's published ports that name none. */
  readonly hostBinding: string;
  /** Where subnets of new networks are from; none: what is free on this host. */
  readonly addressPools: readonly AddressPool[];
  readonly nftTable: string;
  /** As with Docker: the administrator's rules for what the host passes on do not count for containers. */
  readonly publishedPastFirewall: boolean;
  readonly cgroupParent: string;
  /** Folder of launcher and init. */
  /** Whom containers' users are on the host; absent: themselves. */
  readonly userMap?: UserMap;
  readonly nativeDir: string;
  readonly initPath: string;
  /** Folder of the built-in images' archives. */
  readonly builtinImagesDir: string;
  /** How long a registry may be silent. */
  readonly registryIdleSeconds: number;
  /** Registries that the engine's mirror keeps copies of. */
  readonly mirroredRegistries: readonly string[];
  /** Where other engines may pull from it. */
  readonly mirrorListen?: { readonly host: string; readonly port: number };
  readonly proxies: ProxyVariables;
  /** Where volume plugins are looked for. */
  readonly pluginFolders: readonly string[];
  /** Absent: what builds keep is removed by users only. */
  readonly buildCacheLimitBytes?: number;
  /** Settings that were said and have no effect, and why. */
  readonly ignored: readonly { readonly name: string; readonly why: string }[];
}

export interface ConfigSource {
  readonly program: EngineProgram;
  readonly argv: readonly string[];
  readonly path: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What a command line asks for. */
export type EngineCommand =
  | { readonly kind: "help" | "version" }
  /** Say whether the configuration is right, no more. */
  | { readonly kind: "validate" }
  | { readonly kind: "run"; readonly config: EngineConfig };

/**
 * What the command line and the configuration file ask for.
 *
 * @throws {Fault} `invalid-argument` for either, `unavailable` when no OCI runtime or no native program is installed.
 */
export function parseEngineCommand(source: ConfigSource): EngineCommand {
  const flags = readFlags(source.argv, source.program);
  if (flags.help === true) return { kind: "help" };
  if (flags.version === true) return { kind: "version" };
  const config = buildConfig(source, readSettings(source, flags));
  return flags.validate === true ? { kind: "validate" } : { kind: "run", config };
}

/** The configuration as it is now, for a reload: the command line is the old one, the file is read again. */
export function readEngineConfig(source: ConfigSource): EngineConfig {
  return buildConfig(source, readSettings(source, readFlags(source.argv, source.program)));
}

function readSettings({ program }: ConfigSource, flags: Settings): Settings {
  const path = flags["config-file"] ?? layoutOf(program).configFile;
  const file = readConfigFile(path, { flags, required: flags["config-file"] !== undefined });
  const runtimes = { ...file.runtimes, ...flags.runtimes };
  return { ...file, ...flags, ...(Object.keys(runtimes).length > 0 && { runtimes }) };
}

function buildConfig({ program, path, environment }: ConfigSource, said: Settings): EngineConfig {
  const layout = layoutOf(program, said["exec-root"]);
  const execRoot = said["exec-root"] ?? layout.execRoot;
  const remap = said["userns-remap"] ?? "";
  const tls = serverTls(said, environment);
  const hosts = (said.hosts ?? [""]).map((host) =>
    parseListenHost(host, { defaultSocket: layout.socket, hasTls: tls !== undefined }),
  );
  const bare = hosts.find((host) => host.startsWith("tcp://"));
  const plainTcp = tls === undefined && (said.tls === false || said.tlsverify === false);
  if (bare !== undefined && tls === undefined && !plainTcp) throw configFaults.TCP_WITHOUT_TLS(bare);
  const cacheLimit = buildCacheLimit(said);
  const mirrorListen = findHostPort(said["mirror-address"] ?? "");
  const ownMirror =
    mirrorListen && said["registry-mirrors"]?.find((mirror) => leadsTo(new URL(mirror), mirrorListen));
  if (ownMirror !== undefined) throw configFaults.MIRROR_OWN(ownMirror);
  const nativeDir = said["native-dir"] ?? join(topOfTree(), "build/native");
  const launcher = join(nativeDir, "hawser-launcher");
  if (!existsSync(launcher)) throw configFaults.NATIVE_MISSING(launcher);
  return {
    program,
    dataRoot: said["data-root"] ?? layout.dataRoot,
    execRoot,
    pidFile: said.pidfile ?? layout.pidFile,
    hosts,
    ...(tls && { tls }),
    plainTcp,
    group: said.group ?? layout.group,
    logFormat: said["log-format"] === "json" ? "json" : "text",
    experimental: said.experimental ?? false,
    containers: containerDefaults(said),
    ...(layout.bridgePreferred !== undefined && { bridgePreferred: layout.bridgePreferred }),
    bridge: said.bridge === undefined || said.bridge === "none" ? layout.bridge : said.bridge,
    ...(said.bip !== undefined && said.bip !== "" && { bridgeAddress: said.bip }),
    ...(said["fixed-cidr"] !== undefined && said["fixed-cidr"] !== "" && { bridgeRange: said["fixed-cidr"] }),
    ...(said.ipv6 === true && { bridgeAddress6: said.bip6 || said["fixed-cidr-v6"] || "" }),
    mtu: said.mtu || 1500,
    interContainer: said.icc ?? true,
    masquerade: said["ip-masq"] ?? true,
    hostBinding: said.ip || "0.0.0.0",
    addressPools: said["default-address-pools"] ?? [],
    nftTable: said["nft-table"] ?? layout.nftTable,
    publishedPastFirewall: said["published-past-firewall"] ?? false,
    cgroupParent: (said["cgroup-parent"] || layout.cgroupParent).replace(/^\/?/, "/"),
    nativeDir,
    initPath: said["init-path"] || join(nativeDir, "hawser-init"),
    builtinImagesDir: said["builtin-images"] ?? join(topOfTree(), "build/images"),
    registryIdleSeconds: said["registry-idle-timeout"] ?? 60,
    mirroredRegistries: [...new Set(said["mirrored-registries"])],
    ...(mirrorListen && { mirrorListen }),
    pluginFolders: said["plugin-folder"] ?? defaultPluginFolders,
    proxies: proxyVariables(said, environment),
    ...(remap !== "" && remap !== "host" && { userMap: parseUserMap(remap, readAccountTexts()) }),
    ...(cacheLimit !== undefined && { buildCacheLimitBytes: cacheLimit }),
    ignored: ignoredIn(said),
    ...reloadable(said, { path, liveRestore: layout.liveRestore }),
  };
}

function reloadable(
  said: Settings,
  defaults: { readonly path: string; readonly liveRestore: boolean },
): ReloadableConfig {
  const runtimes = { ...findRuntimes(defaults.path), ...said.runtimes };
  const defaultRuntime = said["default-runtime"] || Object.keys(runtimes)[0];
  if (defaultRuntime === undefined) throw configFaults.RUNTIME_MISSING(knownRuntimes.join(", "));
  if (runtimes[defaultRuntime] === undefined) throw configFaults.RUNTIME_UNKNOWN(defaultRuntime);
  return {
    logLevel: said.debug === true ? "debug" : levelOf(said["log-level"] ?? "info"),
    labels: checkLabels(said.labels ?? []),
    features: said.features ?? {},
    runtimes,
    defaultRuntime,
    registries: {
      mirrors: said["registry-mirrors"] ?? [],
      // As dockerd: what is asked for is a host, whatever stands before it.
      insecure: (said["insecure-registries"] ?? []).map((host) => host.replace(/^https?:\/\//i, "")),
      hostFolders: said["registry-hosts"] ?? defaultHostFolders,
    },
    runtimeDeadlineSeconds: said["runtime-deadline"] ?? 120,
    maxConcurrentDownloads: said["max-concurrent-downloads"] || 6,
    maxConcurrentUploads: said["max-concurrent-uploads"] || 5,
    maxDownloadAttempts: said["max-download-attempts"] || 5,
    liveRestore: said["live-restore"] ?? defaults.liveRestore,
    shutdownTimeoutSeconds: said["shutdown-timeout"] ?? 15,
  };
}

function levelOf(word: string): LogLevel {
  return word === "debug" || word === "info" || word === "warn" ? word : "error";
}

/** A label of two values would be one or the other. */
function checkLabels(labels: readonly string[]): readonly string[] {
  const values = new Map<string, string>();
  for (const label of labels) {
    const [key = "", value = ""] = label.split(/=(.*)/s);
    if ((values.get(key) ?? value) !== value)
      throw configFaults.VALUE_INVALID(`conflict labels for ${key}=${value} and ${key}=${values.get(key)}`);
    values.set(key, value);
  }
  return [...new Set(labels)];
}

/** What is off or empty is not missed. */
function ignoredIn(said: Settings): EngineConfig["ignored"] {
  const bridge =
    said.bridge === "none"
      ? [{ name: "bridge", why: "the default bridge is there, and nobody is on it" }]
      : [];
  return allSettings.reduce((found, [name, { without }]) => {
    const value: unknown = said[name];
    if (without === undefined || value === undefined) return found;
    return ["", []].some((nothing) => isDeepStrictEqual(value, nothing))
      ? found
      : [...found, { name, why: without }];
  }, bridge);
}

/** What other programs read counts here, too. */
const defaultHostFolders = ["/etc/hawser/certs.d", "/etc/containerd/certs.d", "/etc/docker/certs.d"];

/** Docker's, which plugins know. */
const defaultPluginFolders = ["/run/docker/plugins", "/etc/docker/plugins", "/usr/lib/docker/plugins"];

/** The top of the tree or installation: this file is in `packages/engine/src/config` there, or in a bundle of `dist/engine`. */
function topOfTree(): string {
  return join(import.meta.dirname, import.meta.url.endsWith(".ts") ? "../../../.." : "../../..");
}
