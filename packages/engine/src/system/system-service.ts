import { availableParallelism } from "node:os";
import { newestApiVersion, oldestApiVersion, type SystemInfo, type SystemVersion } from "@hawser/api";
import { runProgram } from "@hawser/base";
import type { EngineConfig } from "../config.ts";
import type { ContainerIndex } from "../containers/container-index.ts";
import type { ContainerHost } from "../containers/host.ts";
import type { EventBus } from "../events/event-bus.ts";
import { type HostFacts, readHostFacts } from "./host-facts.ts";

export interface SystemCollaborators {
  readonly config: Pick<EngineConfig, "dataRoot" | "debug" | "hosts">;
  readonly host: Pick<ContainerHost, "cgroups" | "defaultRuntime" | "initPath" | "runtimes" | "now">;
  readonly index: Pick<ContainerIndex, "list">;
  readonly images: { count(): number };
  readonly plugins: { names(): Promise<readonly string[]> };
  readonly events: Pick<EventBus, "subscriberCount">;
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

  async describe(): Promise<SystemInfo> {
    const { config, host, index, images, plugins, events, version } = this.#collaborators;
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
        Log: ["json-file", "none"],
      },
      MemoryLimit: controllers.has("memory"),
      SwapLimit: controllers.has("memory") && facts.swapLimit,
      CpuCfsPeriod: controllers.has("cpu"),
      CpuCfsQuota: controllers.has("cpu"),
      CPUShares: controllers.has("cpu"),
      CPUSet: controllers.has("cpuset"),
      PidsLimit: controllers.has("pids"),
      IPv4Forwarding: facts.ipForwarding,
      Debug: config.debug,
      NFd: -1,
      OomKillDisable: host.cgroups.mode === "v1",
      NGoroutines: -1,
      SystemTime: new Date(host.now()).toISOString(),
      LoggingDriver: "json-file",
      CgroupDriver: "cgroupfs",
      CgroupVersion: host.cgroups.mode === "v2" ? "2" : "1",
      NEventsListener: events.subscriberCount,
      KernelVersion: facts.kernelVersion,
      OperatingSystem: facts.operatingSystem,
      OSVersion: facts.osVersion,
      OSType: "linux",
      Architecture: facts.machine,
      IndexServerAddress: "https://index.docker.io/v1/",
      RegistryConfig: { InsecureRegistryCIDRs: [], IndexConfigs: {}, Mirrors: null },
      NCPU: availableParallelism(),
      MemTotal: facts.memoryBytes,
      GenericResources: null,
      DockerRootDir: config.dataRoot,
      HttpProxy: "",
      HttpsProxy: "",
      NoProxy: "",
      Name: facts.hostName,
      Labels: [],
      ExperimentalBuild: false,
      ServerVersion: version,
      Runtimes: Object.fromEntries(Object.entries(host.runtimes).map(([name, { path }]) => [name, { path }])),
      DefaultRuntime: host.defaultRuntime,
      Swarm: {
        NodeID: "",
        NodeAddr: "",
        LocalNodeState: "inactive",
        ControlAvailable: false,
        Error: "",
        RemoteManagers: null,
      },
      LiveRestoreEnabled: true,
      Isolation: "",
      InitBinary: host.initPath,
      ContainerdCommit: { ID: "" },
      RuncCommit: { ID: runtimeVersion },
      InitCommit: { ID: version },
      SecurityOptions: [
        "name=seccomp,profile=builtin",
        ...(host.cgroups.mode === "v2" ? ["name=cgroupns"] : []),
      ],
      CDISpecDirs: [],
      Warnings: this.#warnings(facts),
    };
  }

  #warnings(facts: HostFacts): readonly string[] {
    const warnings: string[] = [];
    for (const address of this.#collaborators.config.hosts) {
      if (!address.startsWith("tcp://")) continue;
      warnings.push(
        `WARNING: API is accessible on ${address.replace("tcp:", "http:")} without encryption: whoever reaches it is root on this host`,
      );
    }
    if (!facts.ipForwarding) warnings.push("WARNING: IPv4 forwarding is disabled");
    if (!facts.controllers.has("memory")) warnings.push("WARNING: No memory limit support");
    else if (!facts.swapLimit) warnings.push("WARNING: No swap limit support");
    return warnings;
  }

  #readFacts(): Promise<HostFacts> {
    const { config, host } = this.#collaborators;
    this.#facts ??= readHostFacts({ dataRoot: config.dataRoot, cgroups: host.cgroups });
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

/** Node's name for this machine in Go's words. */
function goArchitecture(): string {
  const names: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };
  return names[process.arch] ?? process.arch;
}
