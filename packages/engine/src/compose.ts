import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { KeyedMutex, type Logger, version } from "@hawser/base";
import {
  BareNamespacePool,
  DefaultBridge,
  Firewall,
  NamedNamespacePool,
  NameKeeper,
  openHostInterfaceNames,
  PublishedPorts,
  watchDeletedLinks,
} from "@hawser/network";
import { platformOfNode } from "@hawser/oci";
import { defaultRetryPolicy, RegistryClient, WebClient } from "@hawser/registry/client";
import { MigrationWarmer, SeccompCompiler } from "@hawser/runtime";
import { Store } from "@hawser/store";
import { BuildService } from "./builds/build-service.ts";
import type { EngineBuildServices } from "./builds/buildkit/open-build-services.ts";
import type { EngineConfig, ReloadableConfig } from "./config/engine-config.ts";
import { reloadedConfig } from "./config/live-config.ts";
import type { Collaborators } from "./containers/collaborators.ts";
import { ContainerIndex } from "./containers/container-index.ts";
import { isRunning } from "./containers/container-record.ts";
import { stopLogDeliveries } from "./containers/log-delivery.ts";
import { containersWithVolume, usesImage } from "./containers/plan-mounts.ts";
import { recoverContainers } from "./containers/recover.ts";
import { bringBack, restartNow } from "./containers/restart.ts";
import { Restarts } from "./containers/restarts.ts";
import { stopAllContainers } from "./containers/stop-all.ts";
import { makeFolders, refuseForeignData } from "./data-root.ts";
import { EventBus } from "./events/event-bus.ts";
import { absentRoutes } from "./http/routes/absent.ts";
import { buildkitRoutes } from "./http/routes/buildkit.ts";
import { buildRoutes } from "./http/routes/builds.ts";
import { containerControlRoutes } from "./http/routes/container-control.ts";
import { containerFileRoutes } from "./http/routes/container-files.ts";
import { containerRoutes } from "./http/routes/containers.ts";
import { diskUsageRoutes } from "./http/routes/disk-usage.ts";
import { eventRoutes } from "./http/routes/events.ts";
import { execRoutes } from "./http/routes/exec.ts";
import { imageArchiveRoutes } from "./http/routes/image-archives.ts";
import { imageRoutes } from "./http/routes/images.ts";
import { networkRoutes } from "./http/routes/networks.ts";
import { registryRoutes } from "./http/routes/registry.ts";
import { streamRoutes } from "./http/routes/streams.ts";
import { systemRoutes } from "./http/routes/system.ts";
import { volumeRoutes } from "./http/routes/volumes.ts";
import { ApiServer } from "./http/server.ts";
import { decodeCreateRequest } from "./http/wire/create-request.ts";
import { BuiltinImages } from "./images/builtin-images.ts";
import { EmbeddedMirror } from "./images/embedded-mirror.ts";
import { ImageService } from "./images/image-service.ts";
import { RemoteImages } from "./images/remote-images.ts";
import { ContainerNames } from "./networks/container-names.ts";
import { ContainerNetworks } from "./networks/container-networks.ts";
import { ContainerPorts } from "./networks/container-ports.ts";
import { endpointsIn, membersIn } from "./networks/members.ts";
import { NetworkService } from "./networks/network-service.ts";
import { ownSubnet6 } from "./networks/own-subnet.ts";
import { prefixTextsOf } from "./networks/plan-network.ts";
import { openLauncher } from "./open-launcher.ts";
import { lockRoot, openPidFile } from "./pid-file.ts";
import { findGroupId, readHost, readResolvers } from "./read-host.ts";
import { ContainerTable } from "./state/container-table.ts";
import { NetworkTable } from "./state/network-table.ts";
import { VolumeTable } from "./state/volume-table.ts";
import { crashAt } from "./steps.ts";
import { reloadAttributes } from "./system/reload.ts";
import { inheritedSockets } from "./system/service-manager.ts";
import { SystemService } from "./system/system-service.ts";
import { VolumePlugins } from "./volumes/volume-plugins.ts";
import { VolumeService } from "./volumes/volume-service.ts";

export interface Engine extends AsyncDisposable {
  /**
   * Begin to answer. Before, everything that ran under the last engine has been found again. Returns where it answers, ports
   * that the system chose included.
   */
  listen(): Promise<readonly string[]>;
  /** Have what may change of the configuration as in this one, and announce it. */
  reload(config: ReloadableConfig): void;
  /** Stop to answer. Containers go on with live restore; without, they end, and the launcher, too. */
  shutDown(): Promise<void>;
}

/** Build the engine: every service, in the order of their needs. Disposal runs backwards, also when a step fails. */
export async function composeEngine(
  live: { now: EngineConfig },
  {
    log,
    environment,
  }: { readonly log: Logger; readonly environment: Readonly<Record<string, string | undefined>> },
): Promise<Engine> {
  await using built = new AsyncDisposableStack();
  const config = live.now;
  const reach = crashAt(environment["HAWSER_CRASH_FILE"]);
  await refuseForeignData(config.dataRoot);
  await makeFolders(config);
  built.use(openPidFile(config.pidFile, process.pid));
  for (const root of [config.dataRoot, config.execRoot]) built.use(lockRoot(root));
  const host = await readHost(live);
  const databasePath = join(config.dataRoot, "hawser.db");
  const table = built.use(new ContainerTable(databasePath));
  const networkTable = built.use(new NetworkTable(databasePath));
  const volumeTable = built.use(new VolumeTable(databasePath));
  const index = new ContainerIndex(table);
  built.defer(() => index.flush());
  const firewall = built.use(
    await Firewall.open({
      table: config.nftTable,
      passesOthers: config.publishedPastFirewall,
      log,
    }),
  );
  const nextHostInterface = openHostInterfaceNames(config.bridge);
  const [store, launcher, bridge] = await Promise.all([
    Store.open({ root: config.dataRoot, log, reach }),
    openLauncher(config, log),
    DefaultBridge.open({
      bridge: config.bridge,
      ...(config.bridgeAddress !== undefined && { subnet: config.bridgeAddress }),
      ...(config.bridgeRange !== undefined && { range: config.bridgeRange }),
      ...(config.bridgeAddress6 !== undefined && {
        subnet6: config.bridgeAddress6 || (await ownSubnet6(config)),
      }),
      mtu: config.mtu,
      interContainer: config.interContainer,
      masquerade: config.masquerade,
      pools: config.addressPools,
      ...(config.bridgePreferred !== undefined && { preferred: config.bridgePreferred }),
      firewall,
      nextHostInterface,
      reserved: endpointsIn(index, "bridge").flatMap(({ address, ipv6 }) =>
        ipv6 ? [address, ipv6.address] : [address],
      ),
      avoid: { networks: networkTable.list().flatMap(prefixTextsOf), addresses: await readResolvers() },
      log,
    }),
  ]);
  built.use(store);
  built.use(bridge);
  const events = new EventBus({ now: host.now });
  const networks = built.use(
    await NetworkService.open({
      table: networkTable,
      firewall,
      defaultBridge: bridge,
      hostBinding: config.hostBinding,
      pools: config.addressPools,
      nextHostInterface,
      events,
      readResolvers,
      membersOf: (networkId) => membersIn(index, networkId),
      now: host.now,
      randomBytes,
      reach,
      log,
    }),
  );
  const published = built.use(new PublishedPorts({ firewall, log }));
  const named = built.use(new NamedNamespacePool({ log }));
  const bare = built.use(new BareNamespacePool({ log }));
  const web = {
    environment: config.proxies,
    userAgent: `hawser/${version}`,
    idleMs: config.registryIdleSeconds * 1000,
  };
  const files = built.use(new WebClient(web));
  const client = built.use(
    new RegistryClient({
      get settings() {
        return live.now.registries;
      },
      get retry() {
        return { ...defaultRetryPolicy, retries: live.now.maxDownloadAttempts };
      },
      ...web,
    }),
  );
  const mirror = built.use(
    new EmbeddedMirror({
      root: join(config.dataRoot, "mirror"),
      builtinDir: config.builtinImagesDir,
      registries: config.mirroredRegistries,
      ...(config.mirrorListen && { listen: config.mirrorListen }),
      client,
      log,
    }),
  );
  const hostPlatform = platformOfNode(process);
  const images = new ImageService({
    store,
    events,
    usedBy: (imageId) =>
      index
        .list()
        .filter(({ record }) => usesImage(record, imageId))
        .map(describeUse),
    builtin: new BuiltinImages({
      source: (name) => mirror.builtin(name),
      store,
      hostPlatform,
      log,
    }),
  });
  const registry = new RemoteImages({
    client,
    mirror,
    store,
    events,
    builtin: (name) => images.ensureBuiltin(name),
    hostPlatform,
    maxDownloads: config.maxConcurrentDownloads,
    maxUploads: config.maxConcurrentUploads,
    reach,
  });
  const plugins = new VolumePlugins(config.pluginFolders);
  const volumes = await VolumeService.open(
    {
      plugins,
      table: volumeTable,
      root: join(config.dataRoot, "volumes"),
      events,
      usedBy: (name) => containersWithVolume(index, name),
      now: host.now,
      randomBytes,
      reach,
      log,
    },
    { hasContainer: (id) => index.find(id) !== undefined },
  );
  const keeper = built.use(
    new NameKeeper({
      program: join(config.nativeDir, "hawser-keeper"),
      standIn: [process.execPath, standInProgram, databasePath, host.defaults.resolver.dns.join(",")],
      pidFile: join(config.execRoot, "keeper.pid"),
      logFile: join(config.execRoot, "keeper.log"),
      log,
    }),
  );
  const collaborators: Collaborators = {
    index,
    images,
    snapshots: store.snapshots,
    launcher,
    seccomp: new SeccompCompiler({ log }),
    migrations: await MigrationWarmer.open({ layout: host.cgroups, now: () => performance.now() }),
    networks,
    names: built.use(
      new ContainerNames({ index, networks, servers: host.defaults.resolver.dns, randomBytes, keeper, log }),
    ),
    ports: new ContainerPorts({ networks, published }),
    places: new ContainerNetworks({ networks, defaultBridge: bridge, bare, named, randomBytes }),
    restarts: built.use(new Restarts({ start: (container) => restartNow(collaborators, container) })),
    volumes,
    events,
    host,
    locks: new KeyedMutex(),
    reach,
    log,
  };
  built.defer(() => stopLogDeliveries(collaborators));
  await recoverContainers(collaborators);
  keeper.retire();
  const builds = await BuildService.open({
    collaborators,
    registry,
    web: files,
    store,
    defaults: decodeCreateRequest({}, ""),
    folder: join(config.dataRoot, "builds"),
    cacheLimitBytes: config.buildCacheLimitBytes,
    log,
  });
  const system = new SystemService({ live, host, index, images, plugins, events, version });
  // Opened when a client first asks: they are not small.
  let buildServices: Promise<EngineBuildServices> | undefined;
  const openBuildServices = async () => {
    const { ID: id } = await system.describe();
    const module = await import("./builds/buildkit/open-build-services.ts");
    const ports = { collaborators, images: store.images, content: store.content, registry };
    return module.openBuildServices(builds, { ports, engine: { id, version }, log });
  };
  const buildkit = () => (buildServices ??= openBuildServices());
  built.defer(async () => (await buildServices)?.[Symbol.asyncDispose]());
  await firewall.start();
  built.use(watchDeletedLinks((name) => void networks.restore(name)));
  const closing = new AbortController();
  built.defer(() => closing.abort());
  const socketGroupId = await findGroupId(config.group);
  const server = built.use(
    new ApiServer({
      routes: [
        ...systemRoutes(system),
        ...eventRoutes(events),
        ...imageArchiveRoutes(collaborators),
        ...imageRoutes(images, registry, files),
        ...registryRoutes(registry),
        ...containerRoutes(collaborators),
        ...containerControlRoutes(collaborators),
        ...streamRoutes(collaborators),
        ...execRoutes(collaborators),
        ...volumeRoutes(volumes, { now: host.now, plugins }),
        ...networkRoutes(collaborators),
        ...containerFileRoutes(collaborators),
        ...diskUsageRoutes(collaborators, builds),
        ...buildRoutes(builds, { now: host.now, services: buildkit }),
        ...buildkitRoutes(buildkit),
        ...absentRoutes(),
      ],
      serveHttp2: (socket) => {
        buildkit().then(
          (services) => services.serve(socket),
          (error: unknown) => {
            log.error("cannot open the services of builds", { error });
            socket.destroy();
          },
        );
      },
      version,
      experimental: config.experimental,
      log,
      ...(config.tls && { tls: config.tls }),
      plainTcp: config.plainTcp,
      inheritedSockets: (name) => inheritedSockets(name, { environment, pid: process.pid }),
      ...(socketGroupId !== undefined && { socketGroupId }),
    }),
  );
  const resources = built.move();
  return {
    listen: async () => {
      const addresses: string[] = [];
      for (const address of config.hosts) addresses.push(await server.listen(address));
      const mirrorUrl = await mirror.listen();
      if (mirrorUrl !== undefined) log.info("mirror listens", { url: mirrorUrl });
      void bringBack(collaborators, closing.signal);
      return addresses;
    },
    reload: (read) => {
      live.now = reloadedConfig(live.now, read);
      registry.resize({
        maxDownloads: live.now.maxConcurrentDownloads,
        maxUploads: live.now.maxConcurrentUploads,
      });
      void system.announce("reload", reloadAttributes(live.now));
    },
    shutDown: async () => {
      await server.close();
      if (live.now.liveRestore) return;
      closing.abort();
      await stopAllContainers(collaborators, live.now.shutdownTimeoutSeconds);
      if (!index.list().some(({ record }) => isRunning(record))) await launcher.shutDown();
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** In a bundle it lies beside the engine. */
const standInProgram = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "./stand-in.ts" : "./stand-in.js", import.meta.url),
);

function describeUse({ id, record }: ReturnType<ContainerIndex["list"]>[number]) {
  return { id, running: isRunning(record) };
}
