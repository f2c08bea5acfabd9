import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { Fault } from "@hawser/base";
import {
  type Attachment,
  attachmentsOf,
  type EndpointWish,
  noWish,
  parseNetworkMode,
} from "../networks/attachment.ts";
import { findWishProblem } from "../networks/check-wish.ts";
import { hasNames } from "../networks/container-names.ts";
import { networkServiceFaults } from "../networks/faults.ts";
import { changeHosts, resolvConfOf } from "../networks/network-files.ts";
import type { NetworkRecord } from "../networks/network-record.ts";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { hasProcess } from "./container-record.ts";
import { containerFaults } from "./faults.ts";
import { runDirOf } from "./host.ts";
import { publishNetworkEvents } from "./publish-event.ts";

/**
 * Put a container on one more network: at once when it runs, else when it starts. Of one that is on it already but does not
 * run, only what is asked of its part changes.
 *
 * @throws {Fault} `permission-denied`, `invalid-argument`, `resource-exhausted`: Docker's words; the container is as before
 */
export async function connectContainer(
  collaborators: Collaborators,
  container: Container,
  { network, wish }: { readonly network: NetworkRecord; readonly wish: EndpointWish },
): Promise<void> {
  const { index, places, locks, reach } = collaborators;
  await locks.run(container.id, async () => {
    const { record } = container;
    if (record.state.status === "removing") throw containerFaults.CONTAINER_BEING_REMOVED(container.id);
    checkConnect(container, network);
    const problem = findWishProblem(wish, network);
    if (problem !== undefined) throw networkServiceFaults.ENDPOINT_INVALID(problem);
    const attachments = attachmentsOf(record);
    const others = attachments.filter((other) => !isOn(other, network));
    if (!hasProcess(record)) {
      // Nothing in particular, asked of a place that it has: it keeps what it asked for before.
      if (others.length < attachments.length && isDeepStrictEqual(wish, noWish)) return;
      const added: Attachment = { network: network.name, networkId: network.id, wish };
      index.update(container, { attachments: [...others, added], endpoint: undefined });
      return;
    }
    if (others.length < attachments.length) {
      throw networkServiceFaults.ENDPOINT_EXISTS(record.name, network.name);
    }
    const added = await places.connect(
      { network: network.name, networkId: network.id, wish },
      { pid: record.state.pid, taken: attachments },
    );
    reach("connect.plugged");
    try {
      index.update(container, { attachments: [...attachments, added], endpoint: undefined });
    } catch (error) {
      await places.disconnect(added, { pid: record.state.pid, left: attachments });
      throw error;
    }
    await collaborators.ports.move(container.record);
    await tellNames(collaborators, container);
    tellHosts(collaborators, container, { attachment: added, verb: "add" });
    publishNetworkEvents(collaborators, container, "connect", [added]);
  });
}

/**
 * Take a container off a network, whether it runs or not.
 *
 * @param options.force whatever the kernel says
 * @throws {Fault} `internal` when it is not on it, Docker's words
 */
export async function disconnectContainer(
  collaborators: Collaborators,
  container: Container,
  { network, force }: { readonly network: NetworkRecord; readonly force: boolean },
): Promise<void> {
  const { index, places, locks, reach, log } = collaborators;
  await locks.run(container.id, async () => {
    const { record } = container;
    if (network.name === "host" && parseNetworkMode(record.hostConfig.networkMode).kind === "host") {
      throw networkServiceFaults.DISCONNECT_HOST();
    }
    const attachments = attachmentsOf(record);
    const gone = attachments.find((attachment) => isOn(attachment, network));
    if (gone === undefined) throw networkServiceFaults.NOT_CONNECTED(container.id, network.name);
    const left = attachments.filter((attachment) => attachment !== gone);
    // First on record: what an engine that dies now leaves in the container, the next one takes away.
    index.update(container, { attachments: left, endpoint: undefined });
    reach("disconnect.recorded");
    if (hasProcess(record)) {
      try {
        await places.disconnect(gone, { pid: record.state.pid, left });
      } catch (error) {
        if (!force) {
          index.update(container, { attachments });
          throw error;
        }
        log.warn("forced a container off a network", { container: container.id, error: Fault.from(error) });
      }
    }
    if (!hasProcess(record)) return;
    await collaborators.ports.move(container.record);
    await tellNames(collaborators, container);
    tellHosts(collaborators, container, { attachment: gone, verb: "remove" });
    publishNetworkEvents(collaborators, container, "disconnect", [gone]);
  });
}

function isOn({ networkId, network }: Attachment, { id, name }: NetworkRecord): boolean {
  return networkId === "" ? network === name : networkId === id;
}

/** moby's `ConnectToNetwork` and `checkContainerNetworkMode`. */
function checkConnect({ record }: Container, { name }: NetworkRecord): void {
  const mode = parseNetworkMode(record.hostConfig.networkMode);
  if (mode.kind === "container" || (mode.kind === "host" && name !== "host")) {
    throw networkServiceFaults.CONNECT_SHARED();
  }
  if (name === "host" && mode.kind !== "host") throw networkServiceFaults.CONNECT_HOST();
  const isAlone = attachmentsOf(record).some(({ network }) => network === "none");
  if (isAlone || name === "none") throw networkServiceFaults.CONNECT_NONE();
}

/** A container that comes to its first network with names gets a server, and is told to ask it. */
async function tellNames({ names, host }: Collaborators, { record }: Container): Promise<void> {
  if (!attachmentsOf(record).some(hasNames)) return;
  await names.open(record);
  const path = join(runDirOf(host, record.id), "resolv.conf");
  writeFileSync(
    path,
    resolvConfOf(record, {
      kind: "own",
      attachments: attachmentsOf(record),
      resolver: host.defaults.resolver,
    }),
  );
}

function tellHosts(
  { host }: Collaborators,
  { record }: Container,
  { attachment, verb }: { readonly attachment: Attachment; readonly verb: "add" | "remove" },
): void {
  const { endpoint } = attachment;
  if (endpoint === undefined) return;
  const path = join(runDirOf(host, record.id), "hosts");
  changeHosts(path, { config: record.config, endpoint, verb });
}
