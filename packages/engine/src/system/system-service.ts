import { availableParallelism } from "node:os";
import { newestApiVersion, oldestApiVersion, type SystemInfo, type SystemVersion } from "@hawser/api";
import { runProgram } from "@hawser/base";
import { logDriverNames } from "@hawser/runtime";
import type { EngineConfig } from "../config/engine-config.ts";
import type { ContainerIndex } from "../containers/container-index.ts";
import type { ContainerHost } from "../containers/host.ts";
import type { EventBus } from "../events/event-bus.ts";
import { type HostFacts, readHostFacts } from "./host-facts.ts";

const shownOfConfig = [
  "addressPools",
  "containers",
  "dataRoot",
  "experimental",
  "hosts",
  "labels",
  "liveRestore",
  "logLevel",
  "proxies",
  "registries",
  "tls",
  "userMap",
] as const;

export interface SystemCollaborators {
  readonly live: { readonly now: Pick<EngineConfig, (typeof shownOfConfig)[number]> };
  readonly host: Pick<ContainerHost, "cgroups" | "defaultRuntime" | "initPath" | "runtimes" | "now">;
  readonly index: Pick<ContainerIndex, "list">;
  readonly images: { count(): number };
  readonly plugins: { names(): Promise<readonly string[]> };
  readonly events: Pick<EventBus, "publish" | "subscriberCount">;
  /** The engine's own version. */
  readonly version: string;
}

/** Tells what this engine and its machine are. */
export class SystemService {
  readonly #collaborators: SystemCollaborators;
  /** What does not change while the engine runs, read when first asked for. */
  #facts: Promise<HostFacts> | undefined;
  #runtimeVersion: Promise<string> | undefined;

  constructor(collaborators: SystemCollaborators) {
    this.#collaborators = collaborators;
  }

  async describeVersion(): Promise<SystemVersion> {
    const { version } = this.#collaborators;
    const { kernelVersion } = await this.#readFacts();
    const shared = {
      ApiVersion: newestApiVersion,
      MinAPIVersion: oldestApiVersion,
      GitCommit: "unknown",
      // Clients print it; what stands there is what this engine is built with.
      GoVersion: `node${process.versions.node}`,
      Os: "linux",
      Arch: goArchitecture(),
      KernelVersion: kernelVersion,
    };
    return {
      Platform: { Name: "Hawser" },
      Version: version,
      ...shared,
      BuildTime: "",
      Components: [
        { Name: "Engine", Version: version, Details: { ...shared, Experimental: "false", BuildTime: "" } },
      ],
    };
  }

  /** Tell the world what happened to the engine itself. */
  async announce(action: string, attributes: Readonly<Record<string, string>>): Promise<void> {
    const { engineId, hostName } = await this.#readFacts();
    const actor = { id: engineId, attributes: { ...attributes, name: hostName } };
    this.#collaborators.events.publish({ type: "daemon", action, actor });
  }

  async describe(): Promise<SystemInfo> {
    const { live, host, index, images, plugins, events, version } = this.#collaborators;
    const config = live.now;
    const [facts, runtimeVersion, pluginNames] = await Promise.all([
      this.#readFacts(),
      this.#readRuntimeVersion(),
      plugins.names(),
    ]);
    const states = index.list().map(({ record }) => record.state.status);
    const running = states.filter((status) => status === "running" || status === "restarting").length;
    const paused = states.filter((status) => status === "paused").length;
    const { controllers } = facts;
    return {
      ID: facts.engineId,
      Containers: states.length,
      ContainersRunning: running,
      ContainersPaused: paused,
      ContainersStopped: states.length - running - paused,
      Images: images.count(),
      Driver: "overlay2",
      DriverStatus: [["Backing Filesystem", facts.backingFilesystem]],
      Plugins: {
        Volume: ["local", ...pluginNames],
        Network: ["bridge", "host", "ipvlan", "macvlan", "null"],
        Authorization: null,
        Log: logDriverNames.filter((name) => name !== "none"),
      },
      MemoryLimit: controllers.has("memory"),
      SwapLimit: controllers.has("memory") && facts.swapLimit,
      CpuCfsPeriod: controllers.has("cpu"),
      CpuCfsQuota: controllers.has("cpu"),
      CPUShares: controllers.has("cpu"),
      CPUSet: controllers.has("cpuset"),
      PidsLimit: controllers.has("pids"),
      IPv4Forwarding: facts.ipForwarding,
      Debug: config.logLevel === "debug",
      NFd: -1,
      OomKillDisable: host.cgroups.mode === "v1",
      NGoroutines: -1,
      SystemTime: new Date(host.now()).toISOString(),
      LoggingDriver: config.containers.log.driver,
      CgroupDriver: "cgroupfs",
      CgroupVersion: host.cgroups.mode === "v2" ? "2" : "1",
      NEventsListener: events.subscriberCount,
      KernelVersion: facts.kernelVersion,
      OperatingSystem: facts.operatingSystem,
      OSVersion: facts.osVersion,
      OSType: "linux",
      Architecture: facts.machine,
      IndexServerAddress: "https://index.docker.io/v1/",
      RegistryConfig: registryConfig(config.registries),
      NCPU: availableParallelism(),
      MemTotal: facts.memoryBytes,
      GenericResources: null,
      DockerRootDir: config.dataRoot,
      HttpProxy: withoutPassword(variable(config.proxies, "HTTP_PROXY")),
      HttpsProxy: withoutPassword(variable(config.proxies, "HTTPS_PROXY")),
      NoProxy: variable(config.proxies, "NO_PROXY"),
      Name: facts.hostName,
      Labels: config.labels,
      ExperimentalBuild: config.experimental,
      ServerVersion: version,
      Runtimes: Object.fromEntries(
        Object.entries(host.runtimes).map(([name, { path, args }]) => [
          name,
          { path, ...(args.length > 0 && { runtimeArgs: args }) },
        ]),
      ),
      DefaultRuntime: host.defaultRuntime,
      Swarm: {
        NodeID: "",
        NodeAddr: "",
        LocalNodeState: "inactive",
        ControlAvailable: false,
        Error: "",
        RemoteManagers: null,
      },
      LiveRestoreEnabled: config.liveRestore,
      Isolation: "",
      InitBinary: host.initPath,
      ContainerdCommit: { ID: "" },
      RuncCommit: { ID: runtimeVersion },
      InitCommit: { ID: version },
      SecurityOptions: [
        `name=seccomp,profile=${seccompProfile(config)}`,
        ...(config.userMap === undefined ? [] : ["name=userns"]),
        ...(host.cgroups.mode === "v2" ? ["name=cgroupns"] : []),
      ],
      FirewallBackend: { Driver: "nftables" },
      CDISpecDirs: [],
      ...(config.addressPools.length > 0 && {
        DefaultAddressPools: config.addressPools.map(({ base, size }) => ({ Base: base, Size: size })),
      }),
      Warnings: this.#warnings(facts),
    };
  }

  /** `null` when there is nothing to warn of. */
  #warnings(facts: HostFacts): readonly string[] | null {
    const warnings: string[] = [];
    const { hosts, tls } = this.#collaborators.live.now;
    for (const address of hosts.filter((host) => host.startsWith("tcp://"))) {
      if (tls?.clientAuthority !== undefined) continue;
      const [scheme, lack] =
        tls === undefined ? ["http:", "encryption"] : ["https:", "TLS client verification"];
      warnings.push(
        `WARNING: API is accessible on ${address.replace("tcp:", scheme)} without ${lack}: whoever reaches it is root on this host`,
      );
    }
    if (!facts.ipForwarding) warnings.push("WARNING: IPv4 forwarding is disabled");
    if (!facts.controllers.has("memory")) warnings.push("WARNING: No memory limit support");
    else if (!facts.swapLimit) warnings.push("WARNING: No swap limit support");
    return warnings.length === 0 ? null : warnings;
  }

  #readFacts(): Promise<HostFacts> {
    const { live, host } = this.#collaborators;
    this.#facts ??= readHostFacts({ dataRoot: live.now.dataRoot, cgroups: host.cgroups });
    return this.#facts;
  }

  /** What the default runtime says of itself, in its first line. */
  #readRuntimeVersion(): Promise<string> {
    const { runtimes, defaultRuntime } = this.#collaborators.host;
    const path = runtimes[defaultRuntime]?.path;
    if (path === undefined) return Promise.resolve("");
    this.#runtimeVersion ??= runProgram([path, "--version"], { signal: AbortSignal.timeout(5000) }).then(
      ({ stdout }) => stdout.split("\n", 1)[0] ?? "",
      () => "unknown",
    );
    return this.#runtimeVersion;
  }
}

function seccompProfile({ containers }: Pick<EngineConfig, "containers">): string {
  const option = containers.securityOpt.find((text) => text.startsWith("seccomp="));
  if (option === undefined) return "builtin";
  return option === "seccomp=unconfined" ? "unconfined" : "custom";
}

/** What `docker info` shows of registries: loopback is always without encryption. */
function registryConfig({ mirrors, insecure }: EngineConfig["registries"]): SystemInfo["RegistryConfig"] {
  const withSlash = mirrors.map((mirror) => mirror.replace(/\/?$/, "/"));
  const isNetwork = (text: string) => /^[0-9a-fA-F:.]+\/\d+$/.test(text);
  const index = (name: string, secure: boolean, official: boolean) => ({
    Name: name,
    Mirrors: official ? withSlash : [],
    Secure: secure,
    Official: official,
  });
  return {
    InsecureRegistryCIDRs: [...insecure.filter(isNetwork), "::1/128", "127.0.0.0/8"],
    IndexConfigs: {
      "docker.io": index("docker.io", true, true),
      ...Object.fromEntries(
        insecure.filter((text) => !isNetwork(text)).map((name) => [name, index(name, false, false)]),
      ),
    },
    Mirrors: withSlash.length > 0 ? withSlash : null,
  };
}

/** Programs read proxies in both cases. */
function variable(proxies: EngineConfig["proxies"], name: string): string {
  return proxies[name] ?? proxies[name.toLowerCase()] ?? "";
}

function withoutPassword(address: string): string {
  return address.replace(/\/\/[^/@]*@/, "//xxxxx:xxxxx@");
}

/** Node's name for this machine in Go's words. */
function goArchitecture(): string {
  const names: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };
  return names[process.arch] ?? process.arch;
}
