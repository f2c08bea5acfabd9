import type { Platform } from "@hawser/oci";
import type { ContainerConfig, HostConfig } from "@hawser/runtime";
import { checkConfig, mergeImageConfig, withoutDiscarded } from "@hawser/runtime";
import { checkPlatform } from "../images/check-platform.ts";
import type { EndpointWish } from "../networks/attachment.ts";
import { checkNetworkMode } from "../networks/check-network-mode.ts";
import { checkPorts } from "../networks/container-ports.ts";
import { planAttachments } from "../networks/plan-attachments.ts";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { createdState } from "./container-record.ts";
import { containerFaults } from "./faults.ts";
import { withDefaults } from "./host-defaults.ts";
import { checkSources } from "./mounts.ts";
import { createContainerId, createContainerName, isContainerName } from "./names.ts";
import { planMounts } from "./plan-mounts.ts";
import { prepareFolders } from "./prepare-folders.ts";
import { publishContainerEvent } from "./publish-event.ts";

export interface CreateRequest {
  /** Absent: one is made up. */
  readonly name?: string;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** Network name → what is asked of the container's part in it. */
  readonly endpoints?: Readonly<Record<string, EndpointWish>>;
  /** The image must be made for it. */
  readonly platform?: Platform;
}

/**
 * Make a container: its record, its writable layer, its folder. Nothing runs yet. The record is written last, so that an
 * engine that dies in between leaves only what the next one sweeps away.
 *
 * @throws {Fault} `not-found` for the image (Docker's clients then pull it), `conflict` for the name, `invalid-argument`.
 */
export async function createContainer(
  {
    index,
    images,
    volumes,
    snapshots,
    networks,
    places,
    migrations,
    events,
    host,
    reach,
    log,
  }: Collaborators,
  request: CreateRequest,
): Promise<{ readonly container: Container; readonly warnings: readonly string[] }> {
  migrations.warm();
  if (request.config.image === "") throw containerFaults.IMAGE_REQUIRED();
  if (request.name !== undefined && !isContainerName(request.name)) {
    throw containerFaults.CONTAINER_NAME_INVALID(request.name || "/");
  }
  checkNetworkMode(request.config, request.hostConfig);
  const image = images.resolve(request.config.image);
  checkPlatform(image, { reference: request.config.image, wanted: request.platform });
  const config = mergeImageConfig(request.config, image.config.execution);
  const asked = withDefaults(request.hostConfig, host);
  if (host.runtimes[asked.runtime] === undefined) throw containerFaults.RUNTIME_UNKNOWN(asked.runtime);
  const warnings = checkConfig({ config, hostConfig: asked }, host.facts);
  const hostConfig = withoutDiscarded(asked, host.facts);
  for (const mode of [hostConfig.pidMode, hostConfig.ipcMode]) checkPartner(index, mode);
  for (const link of hostConfig.links) {
    const [name = ""] = link.split(":");
    if (index.find(name) === undefined) throw containerFaults.LINK_UNKNOWN(name);
  }
  const sharedHostname = places.sharedHostname(hostConfig.networkMode, index);
  checkPorts(config, hostConfig);
  const attachments = planAttachments(networks, {
    networkMode: hostConfig.networkMode,
    endpoints: request.endpoints ?? {},
    macAddress: request.config.macAddress ?? "",
  });
  await checkSources([], { hostConfig, createMissing: false });

  const id = createContainerId(host.randomBytes);
  using plan = await planMounts({ index, volumes, images }, { id, config, hostConfig });
  const record = {
    id,
    mounts: plan.mounts,
    attachments,
    createdAtMs: host.now(),
    imageId: image.id,
    config: { ...config, hostname: config.hostname || sharedHostname || id.slice(0, 12) },
    hostConfig,
    state: createdState,
    restartCount: 0,
  };
  // Fails early and cheaply; the index itself decides, below.
  if (request.name !== undefined && index.find(request.name)?.record.name === request.name) {
    throw containerFaults.CONTAINER_NAME_TAKEN(request.name, index.resolve(request.name).id);
  }
  await using folders = await prepareFolders({ snapshots, host }, id, [
    { key: id, parent: image.chainId },
    ...plan.images.map((mounted) => ({ key: mounted.snapshot, parent: mounted.image.chainId })),
  ]);
  reach("create.prepared");
  await plan.fill(snapshots.lowerFolders(image.chainId), {});
  reach("create.filled");
  const container = index.add({ ...record, name: request.name ?? freeName(index, host.randomBytes) });
  reach("create.recorded");
  folders.move();
  plan.settle();
  publishContainerEvent(events, container, "create");
  log.debug("container created", { container: id, image: image.id });
  return { container, warnings };
}

/** Who is to share a namespace must be there; whether it runs is asked at the start. */
function checkPartner(index: Collaborators["index"], mode: string): void {
  const [, partner] = /^container:(.+)$/s.exec(mode) ?? [];
  if (partner !== undefined && index.find(partner) === undefined) throw containerFaults.JOIN_UNKNOWN(partner);
}

function freeName(index: Collaborators["index"], randomBytes: Collaborators["host"]["randomBytes"]): string {
  for (let attempt = 0; ; attempt += 1) {
    const name = createContainerName(randomBytes, attempt);
    if (index.find(name) === undefined) return name;
  }
}
