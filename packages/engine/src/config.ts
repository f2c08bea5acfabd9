import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { defineFaults } from "@hawser/base";
import type { RegistrySettings } from "@hawser/registry/client";

const configFaults = defineFaults({
  FLAG_INVALID: ["invalid-argument", (reason: string) => `Cannot read the engine's flags: ${reason}`],
  RUNTIME_MISSING: [
    "unavailable",
    (names: string) => `Cannot find an OCI runtime: none of ${names} is installed; install crun`,
  ],
  NATIVE_MISSING: [
    "unavailable",
    (path: string) =>
      `Cannot find Hawser's native programs: ${path} does not exist; build them with "make -C native"`,
  ],
});

export interface EngineConfig {
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly pidFile: string;
  /** `unix:///path` or `tcp://host:port`. */
  readonly hosts: readonly string[];
  /** Group that may use unix sockets of the API, when this host has it; it is as good as root. */
  readonly group: string;
  readonly debug: boolean;
  /** Name → absolute path of an OCI runtime. */
  readonly runtimes: Readonly<Record<string, string>>;
  readonly defaultRuntime: string;
  readonly bridge: string;
  /** Gateway and prefix of the default bridge, `172.30.0.1/16`; absent: one that is free on this host. */
  readonly bridgeAddress?: string;
  readonly nftTable: string;
  readonly cgroupParent: string;
  /** Folder of launcher and init. */
  readonly nativeDir: string;
  /** Folder of the built-in images' archives. */
  readonly builtinImagesDir: string;
  /** Mirrors, hosts without encryption, and folders that say more of registries. */
  readonly registries: RegistrySettings;
  /** Where volume plugins are looked for. */
  readonly pluginFolders: readonly string[];
  readonly maxConcurrentDownloads: number;
  readonly maxConcurrentUploads: number;
  /** `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, for registries. */
  readonly proxies: Readonly<Record<string, string | undefined>>;
}

const options = {
  "data-root": { type: "string", default: "/var/lib/hawser" },
  "exec-root": { type: "string", default: "/run/hawser" },
  pidfile: { type: "string", short: "p" },
  host: { type: "string", short: "H", multiple: true },
  group: { type: "string", short: "G", default: "hawser" },
  debug: { type: "boolean", short: "D", default: false },
  "add-runtime": { type: "string", multiple: true },
  "default-runtime": { type: "string" },
  bridge: { type: "string", short: "b", default: "hawser0" },
  bip: { type: "string" },
  "nft-table": { type: "string", default: "hawser" },
  "cgroup-parent": { type: "string", default: "/hawser" },
  "native-dir": { type: "string" },
  "builtin-images": { type: "string" },
  "registry-mirror": { type: "string", multiple: true },
  "insecure-registry": { type: "string", multiple: true },
  "registry-hosts": { type: "string", multiple: true },
  "plugin-folder": { type: "string", multiple: true },
  "max-concurrent-downloads": { type: "string", default: "6" },
  "max-concurrent-uploads": { type: "string", default: "5" },
} as const;

/**
 * The engine's configuration from its command line.
 * @throws {Fault} `invalid-argument` for flags, `unavailable` when no OCI runtime or no native program is installed.
 */
export function parseEngineConfig(
  argv: readonly string[],
  environment: { readonly path: string; readonly proxies?: EngineConfig["proxies"] },
): EngineConfig {
  const values = parse(argv);
  const execRoot = values["exec-root"];
  const runtimes = { ...findRuntimes(environment.path), ...parseRuntimes(values["add-runtime"] ?? []) };
  const defaultRuntime = values["default-runtime"] ?? Object.keys(runtimes)[0];
  if (defaultRuntime === undefined || runtimes[defaultRuntime] === undefined) {
    throw configFaults.RUNTIME_MISSING(defaultRuntime ?? knownRuntimes.join(", "));
  }
  const top = topOfTree();
  const nativeDir = values["native-dir"] ?? join(top, "build/native");
  const launcher = join(nativeDir, "hawser-launcher");
  if (!existsSync(launcher)) throw configFaults.NATIVE_MISSING(launcher);
  return {
    dataRoot: values["data-root"],
    execRoot,
    pidFile: values.pidfile ?? join(execRoot, "engine.pid"),
    hosts: values.host ?? [`unix://${join(execRoot, "hawser.sock")}`],
    group: values.group,
    debug: values.debug,
    runtimes,
    defaultRuntime,
    bridge: values.bridge,
    ...(values.bip !== undefined && { bridgeAddress: values.bip }),
    nftTable: values["nft-table"],
    cgroupParent: values["cgroup-parent"].replace(/^\/?/, "/"),
    nativeDir,
    builtinImagesDir: values["builtin-images"] ?? join(top, "build/images"),
    registries: {
      mirrors: values["registry-mirror"] ?? [],
      insecure: values["insecure-registry"] ?? [],
      hostFolders: values["registry-hosts"] ?? defaultHostFolders,
    },
    pluginFolders: values["plugin-folder"] ?? defaultPluginFolders,
    maxConcurrentDownloads: parseCount(values, "max-concurrent-downloads"),
    maxConcurrentUploads: parseCount(values, "max-concurrent-uploads"),
    proxies: environment.proxies ?? {},
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options, strict: true }).values;
  } catch (error) {
    throw configFaults.FLAG_INVALID(error instanceof Error ? error.message : String(error));
  }
}

/** What other programs read counts here, too. */
const defaultHostFolders = ["/etc/hawser/certs.d", "/etc/containerd/certs.d", "/etc/docker/certs.d"];

/** Docker's, which plugins know. */
const defaultPluginFolders = ["/run/docker/plugins", "/etc/docker/plugins", "/usr/lib/docker/plugins"];

function parseCount(
  values: ReturnType<typeof parse>,
  name: "max-concurrent-downloads" | "max-concurrent-uploads",
): number {
  const count = Number(values[name]);
  if (!Number.isInteger(count) || count < 1)
    throw configFaults.FLAG_INVALID(`--${name} wants a number from 1, not "${values[name]}"`);
  return count;
}

/** In order of preference: the first that is installed is the default. */
const knownRuntimes = ["crun", "runc"] as const;

function findRuntimes(path: string): Record<string, string> {
  const found: Record<string, string> = {};
  const folders = [...path.split(":"), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];
  for (const name of knownRuntimes) {
    const folder = folders.find((candidate) => candidate !== "" && existsSync(join(candidate, name)));
    if (folder !== undefined) found[name] = join(folder, name);
  }
  return found;
}

function parseRuntimes(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [name = "", path = ""] = text.split(/=(.*)/s);
      if (name === "" || !path.startsWith("/")) {
        throw configFaults.FLAG_INVALID(`--add-runtime wants name=/absolute/path, not "${text}"`);
      }
      return [name, path];
    }),
  );
}

/** The top of the tree or installation: this file is `packages/engine/src/config.ts` there, or bundled in `dist/engine`. */
function topOfTree(): string {
  const above = import.meta.dirname.endsWith(join("dist", "engine")) ? "../.." : "../../..";
  return join(import.meta.dirname, above);
}
