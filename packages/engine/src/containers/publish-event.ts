import type { EventBus } from "../events/event-bus.ts";
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
