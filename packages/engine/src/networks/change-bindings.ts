import type { PublishedPort } from "@hawser/network";
import type { HostConfig } from "@hawser/runtime";
import { networkServiceFaults } from "./faults.ts";
import { parsePort } from "./port-requests.ts";

type PortBindings = HostConfig["portBindings"];

/** Ports to be published from now on, and no longer; of the latter, an empty host address or port stands for any. */
export interface PortChange {
  readonly add: PortBindings;
  readonly remove: PortBindings;
}

/**
 * What a container asks for after a change.
 *
 * @throws {Fault} `conflict` for one to remove that it does not ask for
 */
export function changeBindings(current: PortBindings, { add, remove }: PortChange): PortBindings {
  const changed = new Map(Object.entries(current));
  for (const [port, patterns] of Object.entries(remove)) {
    for (const pattern of patterns) {
      const keys = [...changed.keys()].filter((key) => isSamePort(key, port));
      const isMeant = ({ hostIp, hostPort }: { readonly hostIp: string; readonly hostPort: string }) =>
        (pattern.hostIp === "" || pattern.hostIp === hostIp) &&
        (pattern.hostPort === "" || pattern.hostPort === hostPort);
      let isFound = false;
      for (const key of keys) {
        const bindings = changed.get(key) ?? [];
        const left = bindings.filter((binding) => !isMeant(binding));
        isFound ||= left.length < bindings.length;
        if (left.length === 0) changed.delete(key);
        else changed.set(key, left);
      }
      if (!isFound) throw networkServiceFaults.PORT_NOT_PUBLISHED(port);
    }
  }
  for (const [port, bindings] of Object.entries(add)) {
    changed.set(port, [...(changed.get(port) ?? []), ...bindings]);
  }
  return Object.fromEntries(changed);
}

/** Whether a port that a running container has published is one that is to go. */
export function isRemoved(published: PublishedPort, remove: PortBindings): boolean {
  return Object.entries(remove).some(
    ([port, patterns]) =>
      isSamePort(port, `${published.containerPort}/${published.protocol}`) &&
      patterns.some(
        ({ hostIp, hostPort }) =>
          (hostIp === "" || hostIp === published.hostIp) &&
          (hostPort === "" || hostPort === String(published.hostPort)),
      ),
  );
}

function isSamePort(one: string, other: string): boolean {
  const [first, second] = [parsePort(one), parsePort(other)];
  return first.port === second.port && first.protocol === second.protocol;
}
