import type { EventBus } from "../events/event-bus.ts";
import { type Attachment, attachmentsOf } from "../networks/attachment.ts";
import { localDriver } from "../volumes/volume-record.ts";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { mountsOf } from "./plan-mounts.ts";

/** Announce a fact about a container, with the attributes that Docker's events carry: image, name, labels. */
export function publishContainerEvent(
  events: EventBus,
  container: Container,
  action: string,
  attributes: Readonly<Record<string, string>> = {},
): void {
  const { config, name } = container.record;
  events.publish({
    type: "container",
    action,
    actor: { id: container.id, attributes: { ...config.labels, image: config.image, name, ...attributes } },
  });
}

/** Announce that an exec is made or starts, as Docker does it: the program, a space, the arguments. */
export function publishExecEvent(
  events: EventBus,
  container: Container,
  exec: {
    readonly id: string;
    readonly cmd: readonly string[];
    readonly action: "exec_create" | "exec_start";
  },
): void {
  const [program = "", ...args] = exec.cmd;
  publishContainerEvent(events, container, `${exec.action}: ${program} ${args.join(" ")}`, {
    execID: exec.id,
  });
}

/** Announce that a container's run begins, or ends, to use its volumes. */
export function publishVolumeEvents(
  events: EventBus,
  container: Container,
  action: "mount" | "unmount",
): void {
  for (const { volume, target, readOnly } of mountsOf(container.record)) {
    if (volume === undefined) continue;
    const use = { destination: target, propagation: "", "read/write": String(!readOnly) };
    events.publish({
      type: "volume",
      action,
      actor: {
        id: volume.name,
        attributes: {
          container: container.id,
          driver: volume.driver ?? localDriver,
          ...(action === "mount" && use),
        },
      },
    });
  }
}

/** Announce that a container joins or leaves its networks, or one of them. One that shares another's does neither. */
export function publishNetworkEvents(
  { events, networks }: Pick<Collaborators, "events" | "networks">,
  container: Container,
  action: "connect" | "disconnect",
  attachments: readonly Attachment[] = attachmentsOf(container.record),
): void {
  for (const { network, networkId } of attachments) {
    const record = networks.find(networkId || network);
    events.publish({
      type: "network",
      action,
      actor: {
        id: record?.id ?? networkId,
        attributes: { container: container.id, name: network, type: record?.driver ?? "bridge" },
      },
    });
  }
}
