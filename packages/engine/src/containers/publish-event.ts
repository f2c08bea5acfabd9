import type { EventBus } from "../events/event-bus.ts";
import { networkIdOf, networkNameOf } from "../networks/container-networks.ts";
import type { Container } from "./container.ts";

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

/** Announce that a container's run joins or leaves its network. One that shares another's network does neither. */
export function publishNetworkEvent(
  events: EventBus,
  container: Container,
  action: "connect" | "disconnect",
): void {
  const name = networkNameOf(container.record.hostConfig.networkMode);
  if (name === undefined) return;
  events.publish({
    type: "network",
    action,
    actor: {
      id: networkIdOf(name),
      attributes: { container: container.id, name, type: name === "none" ? "null" : name },
    },
  });
}
