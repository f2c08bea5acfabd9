import type { KeyedMutex, Logger } from "@hawser/base";
import type { Launcher, MigrationWarmer, SeccompCompiler } from "@hawser/runtime";
import type { Snapshotter } from "@hawser/store";
import type { EventBus } from "../events/event-bus.ts";
import type { ImageService } from "../images/image-service.ts";
import type { ContainerNames } from "../networks/container-names.ts";
import type { ContainerNetworks } from "../networks/container-networks.ts";
import type { ContainerPorts } from "../networks/container-ports.ts";
import type { NetworkService } from "../networks/network-service.ts";
import type { ReachEngineStep } from "../steps.ts";
import type { VolumeService } from "../volumes/volume-service.ts";
import type { ContainerIndex } from "./container-index.ts";
import type { ContainerHost } from "./host.ts";
import type { Restarts } from "./restarts.ts";

/** What the verbs of this folder work with. Built once, in compose.ts. */
export interface Collaborators {
  readonly index: ContainerIndex;
  readonly images: ImageService;
  readonly snapshots: Snapshotter;
  readonly launcher: Launcher;
  readonly networks: NetworkService;
  /** Containers' places on them. */
  readonly places: ContainerNetworks;
  /** The name servers in them. */
  readonly names: ContainerNames;
  /** Their published ports. */
  readonly ports: ContainerPorts;
  readonly seccomp: SeccompCompiler;
  readonly migrations: MigrationWarmer;
  readonly restarts: Restarts;
  readonly volumes: VolumeService;
  readonly events: EventBus;
  /** Facts about this host and this engine that do not change while it runs. */
  readonly host: ContainerHost;
  /** One holder at a time changes the life of one container. */
  readonly locks: KeyedMutex;
  readonly reach: ReachEngineStep;
  readonly log: Logger;
}
